//! `GET /jobs/{id}`: the page that shows a person the trail of a job, live.
//!
//! It holds no data and is the same for everybody. The browser fetches the job from the API, with the API key that its reader
//! types in.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// Foreign code in the page could read the key. So it runs and loads only what the API itself serves, and no other page may
/// frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE: &str = include_str!("page/job.html");
const STYLE: &str = include_str!("page/job.css");
/// Modules by file name. The page loads the first one, which imports the others.
const SCRIPTS: [(&str, &str); 9] = [
    ("job.js", include_str!("page/job.js")),
    ("session.js", include_str!("page/session.js")),
    ("door.js", include_str!("page/door.js")),
    ("elements.js", include_str!("page/elements.js")),
    ("stream.js", include_str!("page/stream.js")),
    ("trail.js", include_str!("page/trail.js")),
    ("head.js", include_str!("page/head.js")),
    ("timeline.js", include_str!("page/timeline.js")),
    ("words.js", include_str!("page/words.js")),
];

pub(crate) async fn job() -> Response {
    text("text/html; charset=utf-8", PAGE)
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
