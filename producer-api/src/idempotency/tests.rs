//! Tests of idempotency keys: which are accepted, and what the cache remembers.

use axum::http::{HeaderMap, HeaderValue};
use millrace_protocol::{Fingerprint, JobId};
use uuid::Uuid;

use super::{Claim, GENERATION, IdempotencyCache, IdempotencyKey, Usage};

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

fn usage(body: &str) -> Usage {
    Usage { command: "orders.place", fingerprint: Fingerprint::of(body.as_bytes()) }
}

#[test]
fn a_key_stands_for_what_it_was_first_used_for() {
    let (cache, job) = (IdempotencyCache::default(), JobId(Uuid::from_u128(1)));
    assert_eq!(cache.claim(job, &usage("a")), Claim::First);
    assert_eq!(cache.claim(job, &usage("a")), Claim::Again);
    assert_eq!(cache.claim(job, &usage("b")), Claim::Other);
    assert_eq!(cache.claim(job, &Usage { command: "orders.cancel", ..usage("a") }), Claim::Other);
    cache.release(job);
    assert_eq!(cache.claim(job, &usage("b")), Claim::First);
}

#[test]
fn a_generation_of_keys_is_remembered_and_memory_is_bounded() {
    let cache = IdempotencyCache::default();
    let claim = |number: usize| cache.claim(JobId(Uuid::from_u128(number as u128)), &usage("a"));
    for number in 0..GENERATION * 3 {
        assert_eq!(claim(number), Claim::First);
        assert_eq!(claim(number.saturating_sub(GENERATION - 1)), Claim::Again);
    }
    let generations = cache.generations.lock().expect("nobody panicked");
    assert!(generations.current.len() + generations.before.len() <= 2 * GENERATION);
}
