//! Tests of the whole router without broker and database: what is refused, how, and that no request hangs.

pub(crate) mod letters;

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use millrace_broker::{Connection, ConnectionSettings};
use millrace_contracts::catalog;
use millrace_protocol::{About, Catalog, Contract, Domain, DomainName, Kind};
use millrace_service::{Alert, AlertSink, Readiness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api_server::{self, Components};
use crate::routes::{self, Access};
use crate::settings::ApiSettings;

const KEY: &str = "a-development-key";

/// Nobody listens on port 1, so connections are refused at once.
const AMQP: &str = "amqp://guest:hunter2@127.0.0.1:1/main";
const DATABASE: &str = "postgres://millrace:hunter2@127.0.0.1:1/main";
const SECRET: &str = "a secret of at least thirty-two characters";

#[derive(Debug, Default, Clone)]
struct Raised(Arc<Mutex<Vec<Alert>>>);

impl AlertSink for Raised {
    fn raise(&self, alert: Alert) {
        self.0.lock().expect("nobody panics holding it").push(alert);
    }
}

/// An API whose broker and database are not there.
fn router(alerts: Raised) -> Router {
    router_of(&ApiSettings::local(AMQP, DATABASE, SECRET, KEY).expect("valid settings"), alerts)
}

fn router_of(settings: &ApiSettings, alerts: Raised) -> Router {
    router_with(catalog(), settings, alerts)
}

fn router_with(catalog: &'static Catalog, settings: &ApiSettings, alerts: Raised) -> Router {
    let connection =
        || Connection::open(ConnectionSettings::new(settings.broker.amqp_url.url().clone(), "test"));
    let components =
        Components::over(catalog, &[connection(), connection()], settings, "test").expect("a valid URL");
    let stop = CancellationToken::new();
    api_server::router(settings, components, &Readiness::of(&["broker"]), Arc::new(alerts), &stop)
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn slug(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.strip_prefix("urn:millrace:problem:").unwrap_or(kind)
    }

    fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}

async fn ask(request: Request<Body>) -> Answer {
    let response = router(Raised::default()).oneshot(request).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a whole body");
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Answer { status: head.status, headers: head.headers, body }
}

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {KEY}"))
}

async fn post(command: &str, body: impl Into<Body>) -> Answer {
    let request = request(Method::POST, &format!("/v1/jobs/{command}"))
        .header(header::CONTENT_TYPE, "application/json");
    ask(request.body(body.into()).expect("a request")).await
}

/// The example order, changed.
fn order(change: impl FnOnce(&mut Value)) -> String {
    let mut order = catalog().find("orders.place").expect("a command").example();
    change(&mut order);
    order.to_string()
}

/// Status, kind of problem and pointers.
type Refusal = (u16, &'static str, Vec<&'static str>);

fn unprocessable(pointer: &'static str) -> Refusal {
    (422, "invalid", vec![pointer])
}

#[tokio::test]
async fn bad_data_is_refused_with_a_pointer_to_it() {
    let line = json!({"sku": "TEA", "quantity": 1, "unit_price_minor": 1});
    let unreadable = |pointer: &'static str| -> Refusal { (400, "not-json", vec![pointer]) };
    let table: Vec<(&str, String, Refusal)> = vec![
        ("nothing", String::new(), unreadable("")),
        ("not JSON", "order me some tea".to_owned(), unreadable("")),
        ("JSON and more", format!("{} {{}}", order(|_| ())), unreadable("")),
        (
            "too deep, in a field",
            format!(r#"{{"currency":{}"#, "[".repeat(100_000)),
            unprocessable("/currency"),
        ),
        ("too deep, in an unknown field", format!(r#"{{"x":{}"#, "[".repeat(100_000)), unreadable("/x")),
        ("a list", "[]".to_owned(), unprocessable("")),
        ("a raw NUL", order(|_| ()).replace("TEA", "T\0A"), unreadable("/lines/0/sku")),
        ("an escaped NUL", order(|o| o["lines"][0]["sku"] = json!("T\0A")), unprocessable("/lines/0/sku")),
        ("a lone surrogate", order(|_| ()).replace("TEA", r"\ud800"), unreadable("/lines/0/sku")),
        ("wrong type", order(|o| o["currency"] = json!(978)), unprocessable("/currency")),
        ("unknown currency", order(|o| o["currency"] = json!("EURO")), unprocessable("/currency")),
        ("no UUID", order(|o| o["user_id"] = json!("ada")), unprocessable("/user_id")),
        (
            "missing field",
            order(|o| drop(o.as_object_mut().unwrap().remove("user_id"))),
            unprocessable("/user_id"),
        ),
        ("null for a field", order(|o| o["user_id"] = Value::Null), unprocessable("/user_id")),
        ("unknown field", order(|o| o["gift"] = json!(true)), unprocessable("/gift")),
        ("unknown field inside", order(|o| o["lines"][0]["gift"] = json!(1)), unprocessable("/lines/0/gift")),
        (
            "twice the same field",
            order(|_| ()).replacen('{', r#"{"currency":"EUR","#, 1),
            unprocessable("/currency"),
        ),
        (
            "money as float",
            order(|o| o["lines"][0]["unit_price_minor"] = json!(12.5)),
            unprocessable("/lines/0/unit_price_minor"),
        ),
        (
            "money as text",
            order(|o| o["lines"][0]["unit_price_minor"] = json!("1250")),
            unprocessable("/lines/0/unit_price_minor"),
        ),
        (
            "negative money",
            order(|o| o["lines"][0]["unit_price_minor"] = json!(-1)),
            unprocessable("/lines/0/unit_price_minor"),
        ),
        (
            "money above 2^53",
            order(|o| o["lines"][0]["unit_price_minor"] = json!(1_i64 << 53)),
            unprocessable("/lines/0/unit_price_minor"),
        ),
        (
            "money above 2^64",
            order(|_| ()).replace("1250", "18446744073709551616"),
            unprocessable("/lines/0/unit_price_minor"),
        ),
        (
            "a sum that overflows",
            order(|o| {
                o["lines"][0] =
                    json!({"sku": "TEA", "quantity": 1_000_000, "unit_price_minor": (1_i64 << 53) - 1});
            }),
            unprocessable("/lines"),
        ),
        ("nothing to pay", order(|o| o["lines"][0]["unit_price_minor"] = json!(0)), unprocessable("/lines")),
        (
            "zero quantity",
            order(|o| o["lines"][0]["quantity"] = json!(0)),
            unprocessable("/lines/0/quantity"),
        ),
        (
            "negative quantity",
            order(|o| o["lines"][0]["quantity"] = json!(-1)),
            unprocessable("/lines/0/quantity"),
        ),
        ("no lines", order(|o| o["lines"] = json!([])), unprocessable("/lines")),
        ("101 lines", order(|o| o["lines"] = json!(vec![line.clone(); 101])), unprocessable("/lines")),
        (
            "a card number",
            order(|o| o["payment_method"] = json!("4111111111111111")),
            unprocessable("/payment_method"),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, body, expected) in table {
        let answer = post("orders.place", body).await;
        let message = answer.body["errors"][0]["message"].as_str().unwrap_or_default();
        if (answer.status.as_u16(), answer.slug(), answer.pointers()) != expected || message.is_empty() {
            wrong.push(format!("{name}: expected {expected:?}, got {}", answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn data_that_the_api_replaces_is_checked_by_the_api() {
    let user = "01980000-0000-7000-8000-00000000c0de";
    let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg";
    let key = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
    let with = |field: &str, value: Value| {
        let mut key = key.clone();
        key[field] = value;
        key
    };
    for (command, body, pointer) in [
        ("auth.set-password", json!({"user_id": user, "password": "1234567"}), "/password"),
        ("auth.set-password", json!({"user_id": user, "password": "x".repeat(129)}), "/password"),
        ("auth.set-password", json!({"user_id": user}), "/password"),
        ("auth.set-password", json!({"user_id": user, "password_hash": hash}), "/password"),
        (
            "auth.set-password",
            json!({"user_id": user, "password": "12345678", "password_hash": hash}),
            "/password_hash",
        ),
        ("auth.issue-api-key", with("key_hash", json!("0".repeat(64))), "/key_hash"),
        ("auth.issue-api-key", with("scopes", json!([])), "/scopes"),
        ("auth.issue-api-key", with("scopes", json!(["everything"])), "/scopes/0"),
        ("auth.issue-api-key", with("expires_at", json!("tomorrow")), "/expires_at"),
        ("auth.issue-api-key", with("client_id", json!("Shop!")), "/client_id"),
    ] {
        let answer = post(command, body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.pointers()), (422, vec![pointer]), "{}", answer.body);
        assert!(!answer.body.to_string().contains("12345678"), "a password is repeated: {}", answer.body);
    }
}

#[tokio::test]
async fn without_a_broker_good_data_is_answered_503_within_a_second() {
    for entry in catalog().commands() {
        let mut body = entry.example();
        let fields = body.as_object_mut().expect("every command is an object");
        if fields.remove("password_hash").is_some() {
            fields.insert("password".to_owned(), json!("correct horse battery staple"));
        }
        fields.retain(|field, _| !["key_hash", "key_prefix"].contains(&field.as_str()));
        let started = Instant::now();
        let answer = post(entry.message_type, body.to_string()).await;
        assert_eq!((answer.status.as_u16(), answer.slug()), (503, "broker-unavailable"), "{}", answer.body);
        assert_eq!(answer.headers[header::RETRY_AFTER], "2");
        // Hashing a password takes its time where the code is not optimised.
        assert!(
            started.elapsed()
                < Duration::from_secs(if entry.message_type == "auth.set-password" { 20 } else { 2 })
        );
        assert!(answer.headers.get(header::LOCATION).is_none(), "nothing was accepted");
    }
}

#[tokio::test]
async fn only_commands_of_upstream_systems_are_known_and_the_nearest_is_named() {
    for (name, nearest) in [
        ("orders.plcae", Some("orders.place")),
        ("orders.placed", Some("orders.place")),
        ("order.cancel", Some("orders.cancel")),
        ("users.change_email", Some("users.change-email")),
        ("payments.charge", None),
        ("make.tea", None),
        ("%ff%00", None),
    ] {
        let answer = post(name, "{}").await;
        assert_eq!((answer.status.as_u16(), answer.slug()), (404, "unknown-command"), "{name}");
        let detail = answer.body["detail"].as_str().expect("a sentence");
        match nearest {
            Some(nearest) => assert!(detail.ends_with(&format!("Did you mean {nearest}?")), "{detail}"),
            None => assert_eq!(detail, "There is no command of this name."),
        }
    }
}

/// The router is built from the table alone, so no route is without a policy; this is what the policies are.
#[test]
fn every_route_has_a_policy() {
    let table = routes::table(&Readiness::of(&[]));
    let policies: Vec<_> = table.iter().map(|route| format!("{:?} {}", route.access, route.path)).collect();
    assert_eq!(
        policies,
        [
            "Client /v1/jobs",
            "Client /v1/jobs/{job}",
            "Client /v1/jobs/{job}/trail",
            "Client /v1/jobs/{job}/events",
            "Public /",
            "Public /jobs/{job}",
            "Public /assets/job.css",
            "Public /assets/{script}",
            "Public /healthz",
            "Public /readyz",
            "Public /metrics",
            "Public /openapi.json",
            "Public /docs",
            "Public /docs/{file}",
        ]
    );
}

#[tokio::test]
async fn every_route_that_is_not_public_needs_a_key() {
    let job = "01980000-0000-7000-8000-000000000001";
    for route in routes::table(&Readiness::of(&[])) {
        let path = route.path.replace("{job}", job);
        for method in [Method::GET, Method::HEAD, Method::POST] {
            for (authorization, error) in
                [(None, false), (Some("Bearer".to_owned()), false), (Some(format!("Basic {KEY}")), false)]
            {
                let mut request = Request::builder().method(method.clone()).uri(&path);
                if let Some(value) = &authorization {
                    request = request.header(header::AUTHORIZATION, value);
                }
                let answer = ask(request.body(Body::empty()).expect("a request")).await;
                if route.access == Access::Public {
                    assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
                } else if answer.status != StatusCode::METHOD_NOT_ALLOWED {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {authorization:?}");
                    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().expect("text");
                    assert_eq!(challenge.contains("invalid_token"), error, "{authorization:?}: {challenge}");
                }
            }
        }
    }
}

/// Whether a key is known can't be told without the database; it must not be taken for a wrong one, nor for a right one.
#[tokio::test]
async fn while_keys_can_not_be_looked_up_an_unknown_one_is_neither_let_in_nor_called_wrong() {
    for key in ["another-key-altogether".to_owned(), format!("{KEY}x"), KEY.to_uppercase()] {
        let started = Instant::now();
        let request = Request::get("/v1/jobs").header(header::AUTHORIZATION, format!("Bearer {key}"));
        let answer = ask(request.body(Body::empty()).expect("a request")).await;
        assert_eq!((answer.status.as_u16(), answer.slug()), (503, "keys-unavailable"), "{}", answer.body);
        assert!(
            answer.headers.contains_key(header::RETRY_AFTER) && started.elapsed() < Duration::from_secs(2)
        );
    }
}

#[tokio::test]
async fn a_body_must_be_declared_as_json_and_must_not_be_too_large() {
    let declared = |kind: &'static str, body: String| async move {
        let request = request(Method::POST, "/v1/jobs/orders.cancel").header(header::CONTENT_TYPE, kind);
        ask(request.body(Body::from(body)).expect("a request")).await.status.as_u16()
    };
    assert_eq!(declared("text/plain", "{}".to_owned()).await, 415);
    assert_eq!(declared("application/json; charset=latin1", "{}".to_owned()).await, 415);
    assert_eq!(declared("Application/JSON; charset=\"UTF-8\"", "{}".to_owned()).await, 422);
    assert_eq!(declared("application/json", " ".repeat(256 * 1024 + 1)).await, 413);
    assert_eq!(declared("application/json", " ".repeat(256 * 1024)).await, 400, "just not JSON");
    let undeclared =
        request(Method::POST, "/v1/jobs/orders.cancel").body(Body::from("{}")).expect("a request");
    assert_eq!(ask(undeclared).await.status.as_u16(), 415);
    let zipped = request(Method::POST, "/v1/jobs/orders.cancel")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_ENCODING, "gzip");
    assert_eq!(ask(zipped.body(Body::empty()).expect("a request")).await.status.as_u16(), 415);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let mut settings = ApiSettings::local(AMQP, DATABASE, SECRET, KEY).expect("valid settings");
    settings.http.api_body_deadline = Duration::from_millis(50);
    let never = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request =
        request(Method::POST, "/v1/jobs/orders.cancel").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from_stream(never)).expect("a request");
    let response = router_of(&settings, Raised::default()).oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn an_id_that_was_never_given_out_is_unknown_and_one_that_was_needs_the_database() {
    let get = |path: String| async move {
        ask(request(Method::GET, &path).body(Body::empty()).expect("a request")).await
    };
    for id in
        ["01980000-0000-7000-8000-000000000001", "nonsense", "%ff", "00000000-0000-0000-0000-000000000000"]
    {
        for path in [format!("/v1/jobs/{id}"), format!("/v1/jobs/{id}/trail")] {
            let answer = get(path).await;
            assert_eq!((answer.status.as_u16(), answer.slug()), (404, "unknown-job"), "{id}");
        }
    }
    let client = millrace_protocol::ClientId::parse("dev").expect("a valid client");
    let ours = crate::job_id::JobIds::new(SECRET).mint(&client);
    let answer = get(format!("/v1/jobs/{ours}")).await;
    assert_eq!((answer.status.as_u16(), answer.slug()), (503, "ledger-unavailable"));
    assert_eq!(answer.headers["x-correlation-id"], ours.to_string().as_str());
    assert_eq!(answer.headers[header::RETRY_AFTER], "5");
    let text = answer.body.to_string();
    assert!(!text.contains("127.0.0.1") && !text.contains("hunter2") && !text.contains("pool"), "{text}");
}

#[tokio::test]
async fn every_answer_carries_a_correlation_id_and_no_cache_keeps_it() {
    for (method, path, status) in [
        (Method::GET, "/v2/anything", 404),
        (Method::DELETE, "/v1/jobs/orders.place", 405),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/readyz", 503),
        (Method::POST, "/v1/jobs/orders.place", 415),
    ] {
        let answer = ask(request(method, path).body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        let id = answer.headers["x-correlation-id"].to_str().expect("text").to_owned();
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert!(answer.headers.get(header::SERVER).is_none());
        if status == 405 {
            assert!(answer.headers.contains_key(header::ALLOW), "{path}");
        }
        if path.starts_with("/v") {
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(answer.body["correlation_id"], id.as_str());
            assert_eq!(answer.body["instance"], format!("urn:uuid:{id}").as_str());
            assert_eq!(answer.body["status"], status);
        }
    }
}

#[tokio::test]
async fn the_root_leads_people_and_programs_to_the_documents() {
    let get = |accept: &'static str| async move {
        let mut request = Request::get("/");
        if !accept.is_empty() {
            request = request.header(header::ACCEPT, accept);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = router(Raised::default()).oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        assert_eq!(head.headers[header::VARY], "accept");
        let body = to_bytes(body, 1 << 20).await.expect("a whole body");
        let kind = head.headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
        (head.status.as_u16(), kind, String::from_utf8(body.to_vec()).expect("text"))
    };
    for browser in ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"] {
        let (status, kind, body) = get(browser).await;
        assert_eq!((status, kind.as_str()), (200, "text/html; charset=utf-8"), "{browser}");
        assert!(body.contains("href=\"docs\"") && body.contains("/v1/jobs/"), "{body}");
    }
    for program in ["", "*/*", "application/json", "text/htmlx"] {
        let (status, kind, body) = get(program).await;
        assert_eq!((status, kind.as_str()), (404, "application/problem+json"), "{program}");
        assert!(body.contains("/docs") && body.contains("/v1/jobs/{command}"), "{body}");
    }
}

/// A command of another system.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Send {
    parcels: u32,
}

impl Contract for Send {
    const TYPE: &'static str = "shipping.send";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { parcels: 2 }
    }
}

static SHIPPING: LazyLock<Catalog> = LazyLock::new(|| {
    let about = About { title: "Parcels", version: "7.0.0", description: "Where parcels are." };
    Catalog::new(about, [Domain::new(DomainName::new("shipping")).message::<Send>()])
});

#[tokio::test]
async fn the_api_serves_the_catalog_that_it_is_given() {
    let settings = ApiSettings::local(AMQP, DATABASE, SECRET, KEY).expect("valid settings");
    let router = router_with(&SHIPPING, &settings, Raised::default());
    let ask = async |request: Request<Body>| {
        let response = router.clone().oneshot(request).await.expect("an answer");
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("a whole body");
        serde_json::from_slice::<Value>(&body).expect("JSON")
    };
    let post = |command: &str, body: &str| {
        let request = request(Method::POST, &format!("/v1/jobs/{command}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        request.body(Body::from(body.to_owned())).expect("a request")
    };
    let sent = ask(post("shipping.send", r#"{"parcels": 2}"#)).await;
    assert_eq!(sent["type"], "urn:millrace:problem:broker-unavailable", "{sent}");
    let foreign = ask(post("orders.place", &order(|_| ()))).await;
    assert_eq!(foreign["type"], "urn:millrace:problem:unknown-command", "{foreign}");
    let document = ask(Request::get("/openapi.json").body(Body::empty()).expect("a request")).await;
    assert_eq!(
        (&document["info"]["title"], &document["info"]["version"]),
        (&json!("Parcels"), &json!("7.0.0"))
    );
    assert!(document["paths"]["/v1/jobs/shipping.send"].is_object());
    assert!(document["paths"].get("/v1/jobs/orders.place").is_none());
}
