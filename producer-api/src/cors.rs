//! Pages of other origins: none may call the door from a browser, unless the settings name its origin.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::CorsLayer;

const REMEMBERED_FOR: Duration = Duration::from_secs(600);

const SENT: [HeaderName; 7] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

const TOLD: [HeaderName; 8] = [
    LINK,
    LOCATION,
    RETRY_AFTER,
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-correlation-id"),
];

/// What lets pages of these origins in; `None` where there are none.
pub(crate) fn layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let layer = || {
        CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(SENT)
            .expose_headers(TOLD)
            .max_age(REMEMBERED_FOR)
    };
    (!origins.is_empty()).then(layer)
}
