//! Tests of limits: which one is exceeded, and that a request counts until its answer is read.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use millrace_protocol::ClientId;

use super::{Allowed, Limits};
use crate::problem::Problem;

const ALLOWED: Allowed =
    Allowed { in_flight: 3, client_in_flight: 2, client_per_second: NonZeroU32::new(4).expect("not zero") };

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("a valid client")
}

#[test]
fn a_client_above_its_limit_and_an_overloaded_api_are_answered_differently() {
    let limits = Limits::new(ALLOWED);
    let (shop, mall) = (limits.share(&client("shop")), limits.share(&client("mall")));
    let first = limits.admit(&shop).expect("room");
    let _second = limits.admit(&shop).expect("room");
    assert!(matches!(limits.admit(&shop), Err(Problem::TooManyInFlight)));
    let _third = limits.admit(&mall).expect("another client has its own share");
    assert!(matches!(limits.admit(&mall), Err(Problem::Overloaded)));
    drop(first);
    assert!(limits.admit(&mall).is_ok(), "a request that is done makes room");
}

#[test]
fn a_client_that_is_too_fast_learns_when_to_try_again() {
    let limits = Limits::new(ALLOWED);
    let share = limits.share(&client("shop"));
    for _ in 0..4 {
        limits.admit(&share).expect("within the rate");
    }
    match limits.admit(&share) {
        Err(Problem::RateLimited { wait, .. }) => assert!(wait <= Duration::from_millis(250), "{wait:?}"),
        other => panic!("expected to be limited, got {other:?}"),
    }
    assert!(limits.admit(&limits.share(&client("mall"))).is_ok(), "others are not limited");
}

#[tokio::test]
async fn a_batch_is_slowed_down() {
    let share = Limits::new(ALLOWED).share(&client("shop"));
    let started = Instant::now();
    for _ in 0..5 {
        share.take_one().await;
    }
    assert!(started.elapsed() >= Duration::from_millis(200), "the fifth waits for a quarter of a second");
}

#[tokio::test]
async fn a_request_counts_until_its_answer_is_read() {
    let limits = Limits::new(ALLOWED);
    let share = limits.share(&client("shop"));
    let _one = limits.admit(&share).expect("room");
    let answer = limits.admit(&share).expect("room").through(Response::new(Body::from("a body")));
    assert_eq!(answer.headers()["ratelimit-policy"], "\"client\";q=4;w=1");
    assert_eq!(answer.headers()["ratelimit"], "\"client\";r=2;t=1");
    assert!(limits.admit(&share).is_err());
    assert_eq!(to_bytes(answer.into_body(), 100).await.expect("a body"), "a body");
    assert!(limits.admit(&share).is_ok());
}
