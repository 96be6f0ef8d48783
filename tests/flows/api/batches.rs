//! `POST /v1/jobs`: a job a line, an answer a line.

use futures_util::StreamExt;
use millrace_testkit::world::{Answer, World, answer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, job_id, slug};
use crate::user;

fn posting(caller: &Caller, kind: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
    let url = format!("{}/v1/jobs", caller.base);
    caller.http.post(url).bearer_auth(&caller.key).header("content-type", kind).body(body)
}

async fn post(caller: &Caller, kind: &str, body: &str) -> Answer {
    answer(posting(caller, kind, body.to_owned()).send().await.expect("the API answers")).await
}

/// The answer to a whole batch, line by line.
async fn lines(caller: &Caller, body: &str) -> Vec<Value> {
    let response =
        posting(caller, "application/x-ndjson", body.to_owned()).send().await.expect("the API answers");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.expect("a whole answer");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect()
}

#[tokio::test]
async fn each_line_is_answered_in_order_and_a_bad_one_does_not_stop_the_rest() {
    let mut world = World::empty().await;
    world.start_api().await;
    let caller = Caller::of(&world);
    let good = json!({"command": "users.register", "data": user(None)}).to_string();
    let keyed = json!({"command": "users.register", "data": user(None), "idempotency_key": "a"}).to_string();
    let batch = [
        good.as_str(),
        "nonsense",
        r#"{"command": "users.register", "data": {"email": "ada", "name": "Ada"}}"#,
        "",
        r#"{"command": "users.regster", "data": {}}"#,
        r#"{"command": "users.register"}"#,
        r#"{"command": "users.register", "data": {}, "idempotency": "a"}"#,
        r#"{"command": "users.register", "data": {}, "idempotency_key": ""}"#,
        &format!(r#"{{"command": "users.register", "data": "{}"}}"#, "x".repeat(300_000)),
        &keyed,
        &keyed,
        &keyed.replace("Ada", "Eve"),
        &good,
    ]
    .join("\n");
    let answers = lines(&caller, &batch).await;
    let told: Vec<(u64, u64, &str)> = answers
        .iter()
        .map(|answer| {
            let problem = answer["problem"]["type"].as_str().unwrap_or("urn:millrace:problem:");
            (
                answer["line"].as_u64().expect("a number"),
                answer["status"].as_u64().expect("a status"),
                &problem["urn:millrace:problem:".len()..],
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, 202, ""),
            (2, 400, "not-json"),
            (3, 422, "invalid"),
            (4, 404, "unknown-command"),
            (5, 422, "invalid"),
            (6, 422, "invalid"),
            (7, 400, "idempotency-key-malformed"),
            (8, 413, "too-large"),
            (9, 202, ""),
            (10, 202, ""),
            (11, 422, "idempotency-key-reused"),
            (12, 202, ""),
        ],
        "{answers:#?}"
    );
    assert_eq!(answers[2]["problem"]["errors"][0]["pointer"], "/data/email");
    assert_eq!(answers[8]["job_id"], answers[9]["job_id"]);
    assert_ne!(answers[0]["job_id"], answers[11]["job_id"]);
    world.claim("users", 4);
    world.finish().await;
}

#[tokio::test]
async fn answers_come_while_lines_are_still_sent() {
    let mut world = World::empty().await;
    world.start_api().await;
    let (lines, sent) = tokio::sync::mpsc::channel::<Vec<u8>>(1);
    let body = futures_util::stream::unfold(sent, |mut sent| async {
        let line = sent.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), sent))
    });
    lines.send(line("a")).await.expect("there is room");
    let sending =
        posting(&Caller::of(&world), "application/x-ndjson", reqwest::Body::wrap_stream(body)).send();
    let mut answers = sending.await.expect("the answer begins with the first line").bytes_stream();
    for name in ["b", "c"] {
        let answered = answers.next().await.expect("an answer before the next line").expect("readable");
        assert_eq!(answered.iter().filter(|byte| **byte == b'\n').count(), 1);
        lines.send(line(name)).await.expect("the API still reads");
    }
    drop(lines);
    let rest: Vec<_> = answers.collect().await;
    assert_eq!(rest.len(), 1);
    world.claim("users", 3);
    world.finish().await;
}

fn line(name: &str) -> Vec<u8> {
    format!(
        "{}\n",
        json!({"command": "users.register", "data": {"email": format!("{name}@example.com"), "name": name}})
    )
    .into_bytes()
}

#[tokio::test]
async fn a_batch_is_declared_as_one_and_has_no_key_of_its_own() {
    let mut world = World::empty().await;
    world.start_api().await;
    let caller = Caller::of(&world);
    let refused = post(&caller, "application/json", "{}").await;
    assert_eq!((refused.status, slug(&refused)), (415, "not-ndjson"), "{:#}", refused.json);
    let keyed = posting(&caller, "application/x-ndjson", "").header("idempotency-key", "\"a\"");
    let refused = answer(keyed.send().await.expect("the API answers")).await;
    assert_eq!((refused.status, slug(&refused)), (400, "idempotency-key-malformed"));
    assert_eq!(lines(&caller, "\n\n").await, [Value::Null; 0]);
    let single = caller.post("users.register", &[], &user(None)).await;
    assert!(job_id(&single) != Uuid::nil());
    world.claim("users", 1);
    world.finish().await;
}
