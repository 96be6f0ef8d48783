//! The headers of a posted job or batch: the media type of its body, and the trace that it belongs to.

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use millrace_protocol::Trace;

/// Whether the body is declared as this media type, in UTF-8 and not compressed.
pub(super) fn declare(headers: &HeaderMap, media_type: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_ascii_lowercase);
    let Some(declared) = text(CONTENT_TYPE) else { return false };
    let mut parts = declared.split(';').map(str::trim);
    let matches = parts.next() == Some(media_type);
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    });
    matches && utf8 && text(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}

/// The caller's trace, or a new one.
pub(super) fn trace(headers: &HeaderMap) -> Trace {
    let mut parents = headers.get_all("traceparent").iter().filter_map(|value| value.to_str().ok());
    // W3C Trace Context §3.2: more than one traceparent counts as none. Several tracestates are one list (§3.3.1).
    let (parent, more) = (parents.next(), parents.next());
    let states: Vec<&str> =
        headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok()).collect();
    let state = (!states.is_empty()).then(|| states.join(","));
    let given = Trace::accept(parent.filter(|_| more.is_none()), state.as_deref());
    if given.traceparent.is_some() {
        return given;
    }
    let (trace, span) = (random_hex::<16>(), random_hex::<8>());
    Trace { traceparent: Some(format!("00-{trace}-{span}-01")), tracestate: None }
}

fn random_hex<const BYTES: usize>() -> String {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).expect("the kernel always gives random bytes once it has booted");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
