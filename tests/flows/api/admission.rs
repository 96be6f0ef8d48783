//! Admission: keys that are issued, rotated, revoked and expire, and limits.

use std::time::Duration;

use millrace_contracts::{auth, orders, users};
use millrace_testkit::stack::proxy::Rule;
use millrace_testkit::world::World;
use millrace_workers::auth::Auth;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Caller, another_api, issued, slug, through_a_proxy};
use crate::user;

/// A world with an API and the auth worker.
async fn with_auth() -> World {
    let mut world = World::of_domains(&[auth::DOMAIN, users::DOMAIN, orders::DOMAIN]).await;
    world.start_worker::<Auth>(&[]);
    world.start_api().await;
    world
}

#[tokio::test]
async fn a_key_works_from_its_issue_to_its_end_and_two_at_once_make_a_rotation() {
    let world = with_auth().await;
    let dev = Caller::of(&world);
    let (old, first) = issued(&dev, "shop", &json!({})).await;
    let (_, second) = issued(&dev, "shop", &json!({})).await;
    let soon = (OffsetDateTime::now_utc() + time::Duration::seconds(2)).format(&Rfc3339).expect("a time");
    let (_, passing) = issued(&dev, "shop", &json!({"expires_at": soon})).await;
    let job =
        dev.with(&first).post("auth.revoke-api-key", &[("prefer", "wait=10")], &json!({"key_id": old})).await;
    assert_eq!((job.status, job.json["status"].as_str()), (200, Some("succeeded")), "{:#}", job.json);
    let seen = dev
        .with(&second)
        .get(job.json["job_id"].as_str().map(|job| format!("/v1/jobs/{job}")).as_deref().expect("a job"))
        .await;
    assert_eq!(seen.status, 200, "both keys are the same client's");
    for gone in [&first, &passing] {
        world
            .until("the key to be refused", async |_| dev.with(gone).get("/v1/jobs").await.status == 401)
            .await;
    }
    assert_eq!(dev.with(&second).get("/v1/jobs").await.status, 200);
    let refused = dev.with("mr_nobody").get("/v1/jobs").await;
    assert_eq!((refused.status, slug(&refused)), (401, "key-unknown"));
    world.finish().await;
}

#[tokio::test]
async fn a_key_may_do_what_its_scopes_say() {
    let world = with_auth().await;
    let dev = Caller::of(&world);
    let (_, orders) = issued(&dev, "shop", &json!({"scopes": ["jobs:orders.*"]})).await;
    let (_, keys) = issued(&dev, "desk", &json!({"scopes": ["jobs:auth.issue-api-key"]})).await;
    let (orders, keys) = (dev.with(&orders), dev.with(&keys));
    let refused = orders.post("users.register", &[], &user(None)).await;
    assert_eq!((refused.status, slug(&refused)), (403, "scope-missing"), "{:#}", refused.json);
    assert_eq!(
        orders.post("orders.cancel", &[], &json!({})).await.status,
        422,
        "permitted, and refused for what is missing"
    );
    let more = json!({"client_id": "desk", "name": "desk", "scopes": ["jobs:*"]});
    let refused = keys.post("auth.issue-api-key", &[], &more).await;
    assert_eq!((refused.status, slug(&refused)), (403, "scope-exceeded"), "{:#}", refused.json);
    let same = json!({"scopes": ["jobs:auth.issue-api-key"]});
    issued(&keys, "desk", &same).await;
    world.finish().await;
}

#[tokio::test]
async fn a_known_client_is_admitted_while_postgres_is_down_and_its_use_is_recorded_later() {
    let world = with_auth().await;
    let (mut settings, proxy) = through_a_proxy(&world).await;
    settings.http.api_key_use_every = Duration::from_millis(100);
    let api = another_api(&world, settings).await;
    let dev = Caller::of(&world).at(&api);
    world.until("the API to be ready", async |_| dev.get("/readyz").await.status == 200).await;
    let (_, known) = issued(&dev, "shop", &json!({})).await;
    let (_, unknown) = issued(&Caller::of(&world), "mall", &json!({})).await;
    assert_eq!(dev.with(&known).get("/v1/jobs").await.status, 200);
    proxy.set(Rule::Reset);
    // Longer than a key counts as freshly read.
    tokio::time::sleep(Duration::from_millis(5_200)).await;
    let key = json!({"key_id": uuid::Uuid::now_v7(), "client_id": "shop", "name": "shop", "scopes": ["jobs:orders.*"]});
    let taken = dev.with(&known).post("auth.issue-api-key", &[], &key).await;
    assert_eq!(taken.status, 202, "{:#}", taken.json);
    let refused = dev.with(&unknown).post("auth.issue-api-key", &[], &key).await;
    assert_eq!((refused.status, slug(&refused)), (503, "keys-unavailable"), "{:#}", refused.json);
    proxy.set(Rule::Pass);
    world
        .until("the other one to be admitted, too", async |_| {
            dev.with(&unknown).get("/v1/jobs").await.status == 200
        })
        .await;
    world
        .until("the uses to be recorded", async |world| {
            world.count("SELECT count(*) FROM auth.api_keys WHERE last_used_at IS NOT NULL").await == 2
        })
        .await;
    api.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_client_above_its_rate_learns_when_to_try_again() {
    let world = with_auth().await;
    let mut settings = world.api_settings();
    settings.http.api_client_rate = 5;
    let api = another_api(&world, settings).await;
    let caller = Caller::of(&world).at(&api);
    let mut limited = 0;
    for _ in 0..20 {
        let answer = caller.get("/v1/jobs/nothing").await;
        assert_eq!(answer.headers["ratelimit-policy"], "\"client\";q=5;w=1");
        if answer.status == 429 {
            assert_eq!((slug(&answer), answer.headers["retry-after"].as_str()), ("rate-limited", "1"));
            assert_eq!(answer.headers["ratelimit"], "\"client\";r=0;t=1");
            limited += 1;
        }
    }
    assert!(limited >= 5, "{limited} of 20 were limited");
    assert_eq!(caller.get("/healthz").await.status, 200, "probes are not limited");
    api.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_call_the_api_only_if_its_origin_is_in_the_settings() {
    let world = with_auth().await;
    let mut settings = world.api_settings();
    settings.http.api_cors_origins = vec!["https://console.example.com".parse().expect("a value")];
    let api = another_api(&world, settings).await;
    let (closed, open) = (Caller::of(&world), Caller::of(&world).at(&api));
    let allowed = async |caller: &Caller, origin: &str| {
        let preflight =
            caller.http.request(reqwest::Method::OPTIONS, format!("{}/v1/jobs/orders.place", caller.base));
        let preflight = preflight.header("origin", origin).header("access-control-request-method", "POST");
        let answer = preflight.send().await.expect("the API answers");
        answer
            .headers()
            .get("access-control-allow-origin")
            .map(|origin| origin.to_str().expect("text").to_owned())
    };
    assert_eq!(allowed(&closed, "https://console.example.com").await, None);
    assert_eq!(
        allowed(&open, "https://console.example.com").await.as_deref(),
        Some("https://console.example.com")
    );
    assert_eq!(allowed(&open, "https://evil.example.com").await, None);
    api.stop().await;
    world.finish().await;
}
