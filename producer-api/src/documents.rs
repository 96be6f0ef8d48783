//! `GET /openapi.json`, and `GET /docs`, which shows it to people with Swagger UI. Swagger UI's files are in this program.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use millrace_protocol::Catalog;
use utoipa_swagger_ui::Config;

use crate::openapi;
use crate::problem::Problem;

/// The page loads from and sends to this origin only. Swagger UI sets styles by attribute and has images in its CSS.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The files of Swagger UI that the page needs.
const FILES: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

/// The OpenAPI document as it is answered. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OpenApiDocument(Bytes);

impl OpenApiDocument {
    /// The document of an API with this catalog.
    pub fn of(catalog: &Catalog) -> Self {
        Self(serde_json::to_vec(&openapi::document(catalog)).expect("documents are plain data").into())
    }
}

pub(crate) async fn openapi(State(OpenApiDocument(text)): State<OpenApiDocument>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

pub(crate) async fn page() -> Response {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("documents/page.html"))).into_response()
}

pub(crate) async fn file(path: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|_| Problem::UnknownPath)?;
    if name == "start.js" {
        return Ok(([(CONTENT_TYPE, "text/javascript")], include_str!("documents/start.js")).into_response());
    }
    if !FILES.contains(&name.as_str()) {
        return Err(Problem::UnknownPath);
    }
    let file = utoipa_swagger_ui::serve(&name, Arc::new(Config::from("openapi.json")));
    let file = file.ok().flatten().ok_or(Problem::Bug)?;
    Ok(([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response())
}
