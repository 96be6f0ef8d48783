//! One request to each endpoint, and some to paths that are none.

use serde_json::json;
use uuid::Uuid;

use crate::commands;
use crate::siege::http::Request;

/// What the answer to a request depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The broker.
    Post,
    /// Postgres.
    Read,
    /// Neither, or the answer has a result per line.
    Neither,
}

#[derive(Debug)]
pub struct Probe {
    pub name: &'static str,
    pub kind: Kind,
    pub request: Request,
}

pub fn order(customer: Uuid, key: &str) -> Request {
    Request::job("orders.place", &commands::order(customer), key)
}

pub fn all(customer: Uuid, job: &str, key: &str) -> Vec<Probe> {
    let post = |name, request| Probe { name, kind: Kind::Post, request };
    let read = |name, target: String| Probe { name, kind: Kind::Read, request: Request::get(target, key) };
    let other = |name, request| Probe { name, kind: Kind::Neither, request };
    let place = || order(customer, key);
    let named = format!("\"{}\"", Uuid::now_v7());
    let password = json!({"user_id": customer, "password": "correct horse battery staple"});
    let issued = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
    let line = json!({"command": "orders.place", "data": commands::order(customer)});
    let unknown_key = format!("mr_{}", "x".repeat(43));
    vec![
        post("a job", place()),
        post("a job with a name", place().with("Idempotency-Key", named)),
        post("a job whose outcome is waited for", place().with("Prefer", "wait=1")),
        post("a new user", Request::job("users.register", &commands::register("ada@example.com"), key)),
        post("a refund", Request::job("payments.refund", &json!({"order_id": customer}), key)),
        other("a password", Request::job("auth.set-password", &password, key)),
        other("an API key", Request::job("auth.issue-api-key", &issued, key)),
        other("a batch", Request::post("/v1/jobs", "application/x-ndjson", format!("{line}\n{{\n"), key)),
        read("jobs", "/v1/jobs".to_owned()),
        read("jobs of a kind", "/v1/jobs?status=succeeded&command=orders.place&limit=1".to_owned()),
        read("a job's view", format!("/v1/jobs/{job}")),
        read("a job's view, waiting", format!("/v1/jobs/{job}?wait=1")),
        read("a job's trail", format!("/v1/jobs/{job}/trail")),
        other("a job's events", Request::get(format!("/v1/jobs/{job}/events"), key)),
        other("a job's page", Request::get(format!("/jobs/{job}"), key)),
        other("an unknown job", Request::get(format!("/v1/jobs/{}", Uuid::now_v7()), key)),
        other("an unknown key", Request::get("/v1/jobs", &unknown_key)),
        other("no job", Request::job("orders.place", &json!({"user_id": 7}), key)),
        other("health", Request::get("/healthz", key)),
        other("readiness", Request::get("/readyz", key)),
        other("metrics", Request::get("/metrics", key)),
        other("documents", Request::get("/openapi.json", key)),
        other("nothing", Request::get("/v2/jobs", key)),
        other("a wrong method", Request { method: "DELETE".to_owned(), ..Request::get("/v1/jobs", key) }),
    ]
}
