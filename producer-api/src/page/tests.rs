//! The page as it leaves the door: what it is declared as, and that it is of one piece with its policy.

use axum::http::header;

use super::{job, script, style};

const PAGE: &str = include_str!("job.html");
const SCRIPT: &str = include_str!("job.js");

#[tokio::test]
async fn every_part_says_what_it_is_and_what_it_may() {
    for (part, kind) in [(job().await, "html"), (style().await, "css"), (script().await, "javascript")] {
        let headers = part.headers();
        let text = |name: header::HeaderName| headers[name].to_str().expect("text");
        assert_eq!(text(header::CONTENT_TYPE), format!("text/{kind}; charset=utf-8"));
        assert!(text(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'; script-src 'self';"));
        assert_eq!(text(header::REFERRER_POLICY), "no-referrer");
    }
}

#[test]
fn the_page_loads_only_what_its_policy_allows() {
    let values =
        |attribute: &'static str| PAGE.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
    let loaded: Vec<_> =
        values("href=\"").chain(values("src=\"")).filter(|url| !url.starts_with('#')).collect();
    assert_eq!(loaded.len(), 3, "style, script and icon: {loaded:?}");
    assert!(
        loaded.iter().all(|url| url.starts_with("../assets/job.") || url.starts_with("data:image/svg+xml,"))
    );
    for inline in [" style=", "<style", " onclick=", "<script>", "javascript:"] {
        assert!(!PAGE.contains(inline), "the policy forbids {inline}");
    }
}

#[test]
fn what_the_door_says_is_only_ever_text() {
    for way_in in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "setHTML", "eval(", "Function("]
    {
        assert!(!SCRIPT.contains(way_in), "{way_in} makes markup or code of text: use textContent");
    }
}

#[test]
fn the_key_is_kept_for_the_tab_only() {
    assert!(SCRIPT.contains("sessionStorage.setItem(STORED_KEY"));
    for longer in ["localStorage", "document.cookie", "indexedDB", "caches."] {
        assert!(!SCRIPT.contains(longer), "{longer} outlives the tab");
    }
}
