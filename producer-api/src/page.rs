//! Pages for people: `GET /`, which leads to the documents, and `GET /jobs/{id}`, which shows the trail of a job, live.
//!
//! They hold no data and are the same for everybody. The browser fetches the job from the API, with the API key that its reader
//! types in.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// Foreign code in the page could read the key. So it runs and loads only what the API itself serves, and no other page may
/// frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const HOME: &str = include_str!("page/home.html");
const PAGE: &str = include_str!("page/job.html");
const STYLE: &str = include_str!("page/job.css");
/// Modules by file name. The page loads the first one, which imports the others.
const SCRIPTS: [(&str, &str); 9] = [
    ("job.js", include_str!("page/job.js")),
    ("session.js", include_str!("page/session.js")),
    ("api.js", include_str!("page/api.js")),
    ("elements.js", include_str!("page/elements.js")),
    ("stream.js", include_str!("page/stream.js")),
    ("trail.js", include_str!("page/trail.js")),
    ("head.js", include_str!("page/head.js")),
    ("timeline.js", include_str!("page/timeline.js")),
    ("words.js", include_str!("page/words.js")),
];

/// A page for browsers. Others learn from the problem where to post jobs and where the documents are.
pub(crate) async fn home(headers: HeaderMap) -> Response {
    let mut response =
        if accepts_html(&headers) { text(HTML, HOME) } else { Problem::UnknownPath.into_response() };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// Whether a browser asks. Programs accept anything, or JSON.
fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    types.any(|name| name.trim().eq_ignore_ascii_case("text/html"))
}

pub(crate) async fn job() -> Response {
    text(HTML, PAGE)
}

pub(crate) async fn style() -> Response {
    text("text/css; charset=utf-8", STYLE)
}

pub(crate) async fn script(path: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Ok(Path(name)) = path else { return Err(Problem::UnknownPath) };
    let found = SCRIPTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, script)| text("text/javascript; charset=utf-8", script)).ok_or(Problem::UnknownPath)
}

fn text(content_type: &'static str, text: &'static str) -> Response {
    let headers =
        [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer")]
            .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, text).into_response()
}
