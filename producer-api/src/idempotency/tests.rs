//! Tests of idempotency keys: which are taken, and what is remembered of their use.

use axum::http::{HeaderMap, HeaderValue};
use millrace_contracts::{Fingerprint, JobId};
use uuid::Uuid;

use super::{Claim, GENERATION, IdempotencyKey, Use, Uses};

fn given(values: &[&str]) -> Result<Option<String>, String> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers
            .append("idempotency-key", HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"));
    }
    IdempotencyKey::of(&headers).map(|key| key.map(|key| key.0)).map_err(|problem| problem.to_string())
}

#[test]
fn a_key_is_a_quoted_string() {
    assert_eq!(given(&[]), Ok(None));
    assert_eq!(given(&["\"8e03978e-40d5\""]), Ok(Some("8e03978e-40d5".to_owned())));
    assert_eq!(given(&["  \"a\\\"b\\\\c\"  "]), Ok(Some("a\"b\\c".to_owned())));
    assert_eq!(
        given(&["\"a\";version=1"]),
        Ok(Some("a".to_owned())),
        "parameters are allowed and mean nothing"
    );
    let longest = format!("\"{}\"", "k".repeat(255));
    assert!(given(&[&longest]).is_ok());
    let longer = format!("\"{}\"", "k".repeat(256));
    for malformed in [
        "",
        " ",
        "\"\"",
        "\"a b\"",
        "\"a",
        "a\"",
        "abc",
        "42",
        "8e03978e-40d5-443d",
        ":YWJj:",
        "?1",
        "(\"a\")",
        "\"a\", \"b\"",
        "\"a\" b",
        "\"\\n\"",
        "\"\u{e9}\"",
        &longer,
    ] {
        assert!(given(&[malformed]).is_err(), "{malformed:?} must be refused");
    }
    assert!(given(&["\"a\"", "\"a\""]).is_err(), "given twice");
}

fn a_use(body: &str) -> Use {
    Use { command: "orders.place", fingerprint: Fingerprint::of(body.as_bytes()) }
}

#[test]
fn a_key_stands_for_what_it_was_first_used_for() {
    let (uses, job) = (Uses::default(), JobId(Uuid::from_u128(1)));
    assert_eq!(uses.claim(job, &a_use("a")), Claim::First);
    assert_eq!(uses.claim(job, &a_use("a")), Claim::Again);
    assert_eq!(uses.claim(job, &a_use("b")), Claim::Other);
    assert_eq!(uses.claim(job, &Use { command: "orders.cancel", ..a_use("a") }), Claim::Other);
    uses.release(job);
    assert_eq!(uses.claim(job, &a_use("b")), Claim::First);
}

#[test]
fn a_generation_of_uses_is_remembered_and_memory_is_bounded() {
    let uses = Uses::default();
    let claim = |number: usize| uses.claim(JobId(Uuid::from_u128(number as u128)), &a_use("a"));
    for number in 0..GENERATION * 3 {
        assert_eq!(claim(number), Claim::First);
        assert_eq!(claim(number.saturating_sub(GENERATION - 1)), Claim::Again);
    }
    let generations = uses.generations.lock().expect("nobody panicked");
    assert!(generations.current.len() + generations.before.len() <= 2 * GENERATION);
}
