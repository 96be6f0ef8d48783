//! What the API answers to invalid input: a status, a problem and a pointer to the place.

use millrace_testkit::world::{API_KEY, Answer, World};
use serde_json::{Value, json};
use uuid::Uuid;

use super::order;
use millrace_contracts::UserId;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn api() -> World {
    let mut world = World::empty().await;
    world.start_api().await;
    world
}

fn assert_problem(answer: &Answer, status: u16, pointer: Option<&str>, what: &str) {
    let Answer { status: got, headers, json } = answer;
    assert_eq!(*got, status, "{what}: {json:#}");
    assert_eq!(headers["content-type"], "application/problem+json", "{what}");
    for field in ["type", "title", "status", "detail", "instance", "correlation_id"] {
        assert!(!json[field].is_null(), "{what}: a problem has {field}: {json:#}");
    }
    assert_eq!(json["status"], status, "{what}");
    assert_eq!(headers["x-correlation-id"], json["correlation_id"].as_str().unwrap_or_default(), "{what}");
    if let Some(pointer) = pointer {
        assert_eq!(json["errors"][0]["pointer"], pointer, "{what}: {json:#}");
    }
}

/// A good order with one thing changed.
fn spoilt(pointer: &str, value: Value) -> String {
    let mut body = order(UserId(Uuid::nil()), "pm_ok");
    *body.pointer_mut(pointer).expect("the field exists") = value;
    body.to_string()
}

#[tokio::test]
async fn every_bad_order_is_told_what_is_wrong_and_where() {
    let world = api().await;
    let good = order(UserId(Uuid::nil()), "pm_ok").to_string();
    let without_currency = good.replace(r#""currency":"EUR","#, "");
    let many_lines = json!(vec![json!({"sku": "A", "quantity": 1, "unit_price_minor": 1}); 101]);
    let max = 9_007_199_254_740_991_i64;
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("no body", String::new(), 400, ""),
        ("not JSON", "{nonsense".to_owned(), 400, ""),
        ("two values", format!("{good} {good}"), 400, ""),
        ("an array", "[]".to_owned(), 422, ""),
        ("a missing field", without_currency, 422, "/currency"),
        ("an unknown field", good.replacen('{', r#"{"curency":"EUR","#, 1), 422, "/curency"),
        (
            "a nested unknown field",
            good.replace(r#""sku""#, r#""colour":"red","sku""#),
            422,
            "/lines/0/colour",
        ),
        ("a wrong type", spoilt("/user_id", json!(7)), 422, "/user_id"),
        ("not a UUID", spoilt("/user_id", json!("me")), 422, "/user_id"),
        ("no currency of this world", spoilt("/currency", json!("XYZ")), 422, "/currency"),
        (
            "money as a float",
            spoilt("/lines/0/unit_price_minor", json!(12.5)),
            422,
            "/lines/0/unit_price_minor",
        ),
        (
            "money as a text",
            spoilt("/lines/0/unit_price_minor", json!("12")),
            422,
            "/lines/0/unit_price_minor",
        ),
        ("negative money", spoilt("/lines/0/unit_price_minor", json!(-1)), 422, "/lines/0/unit_price_minor"),
        (
            "money above 2^53",
            spoilt("/lines/0/unit_price_minor", json!(max + 1)),
            422,
            "/lines/0/unit_price_minor",
        ),
        ("money above 2^64", good.replace("1250", "99999999999999999999"), 422, "/lines/0/unit_price_minor"),
        ("a total above 2^53", spoilt("/lines/0/unit_price_minor", json!(max)), 422, "/lines"),
        ("a quantity of zero", spoilt("/lines/0/quantity", json!(0)), 422, "/lines/0/quantity"),
        ("a negative quantity", spoilt("/lines/0/quantity", json!(-1)), 422, "/lines/0/quantity"),
        ("no lines", spoilt("/lines", json!([])), 422, "/lines"),
        ("101 lines", spoilt("/lines", many_lines), 422, "/lines"),
        ("a NUL", spoilt("/lines/0/sku", json!("TEA\0")), 422, "/lines/0/sku"),
        ("a lone surrogate", good.replace("TEA-EARL-GREY-250", r"\ud800"), 400, "/lines/0/sku"),
        ("a field twice", good.replacen('{', r#"{"currency":"EUR","#, 1), 422, "/currency"),
    ];
    for (what, body, status, pointer) in cases {
        let answer = world.post_raw("orders.place", &[JSON], body).await;
        assert_problem(&answer, status, Some(pointer), what);
    }
    let deep = format!(r#"{{"user_id":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let answer = world.post_raw("orders.place", &[JSON], deep).await;
    assert!(matches!(answer.status, 400 | 422), "deep nesting: {}", answer.status);
    assert_eq!(world.depth("orders").await, 0, "nothing of it may reach the queue");
    world.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_request_itself() {
    let world = api().await;
    let good = order(UserId(Uuid::nil()), "pm_ok").to_string();
    type Case<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, String, u16);
    let cases: Vec<Case<'_>> = vec![
        ("no key", "orders.place", vec![JSON, ("authorization", "")], good.clone(), 401),
        ("a wrong key", "orders.place", vec![JSON, ("authorization", "Bearer wrong")], good.clone(), 401),
        (
            "another scheme",
            "orders.place",
            vec![JSON, ("authorization", "Basic Zm9vOmJhcg==")],
            good.clone(),
            401,
        ),
        ("an unknown command", "orders.plaice", vec![JSON], good.clone(), 404),
        ("an event", "orders.placed", vec![JSON], good.clone(), 404),
        ("an internal command", "payments.charge", vec![JSON], good.clone(), 404),
        ("no media type", "orders.place", vec![], good.clone(), 415),
        ("another media type", "orders.place", vec![("content-type", "text/plain")], good, 415),
        ("a body that is too large", "orders.place", vec![JSON], " ".repeat(256 * 1024 + 1), 413),
    ];
    for (what, command, headers, body, status) in cases {
        let answer = world.post_raw(command, &headers, body).await;
        assert_problem(&answer, status, None, what);
    }
    for path in ["/", "/v1/jobs/not-an-id", &format!("/v1/jobs/{}", Uuid::now_v7())] {
        assert_problem(&world.get(path).await, 404, None, path);
    }
    assert!(!API_KEY.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn secrets_do_not_enter_the_queue() {
    let world = api().await;
    let password = json!({"user_id": Uuid::nil(), "password": "correct horse battery staple"});
    let answer = world.post("auth.set-password", &password).await;
    assert_eq!(answer.status, 202, "{:#}", answer.json);
    let key = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
    let answer = world.post("auth.issue-api-key", &key).await;
    let minted = answer.json["api_key"].as_str().expect("the key is shown once").to_owned();
    let mut seen = String::new();
    while let Some(message) = world
        .channel
        .basic_get("auth".into(), lapin::options::BasicGetOptions { no_ack: true })
        .await
        .expect("readable")
    {
        seen.push_str(&String::from_utf8_lossy(&message.delivery.data));
        seen.push_str(&format!("{:?}", message.delivery.properties));
    }
    assert!(seen.contains("$argon2id$") && seen.contains("key_hash"), "both commands are there: {seen}");
    assert!(!seen.contains("horse") && !seen.contains(&minted), "and neither secret");
    world.finish().await;
}
