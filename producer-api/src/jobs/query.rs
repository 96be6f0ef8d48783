//! What a query string with errors is answered.

use axum::extract::rejection::QueryRejection;
use millrace_protocol::Violation;

use crate::problem::Problem;

/// A query that can't be read as a whole, such as one with an unknown parameter.
pub(super) fn unreadable(rejected: &QueryRejection) -> Problem {
    let text = rejected.body_text();
    let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
    Problem::InvalidQuery(vec![Violation::at("", text)])
}
