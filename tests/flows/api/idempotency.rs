//! `Idempotency-Key`: one job for one key, whatever happens in between.

use futures_util::future::join_all;
use millrace_contracts::{auth, orders, users};
use millrace_testkit::stack::proxy::Rule;
use millrace_testkit::world::{Answer, World};
use millrace_workers::auth::Auth;
use millrace_workers::orders::Orders;
use millrace_workers::users::Users;
use serde_json::{Value, json};

use super::{Caller, another_api, issued, job_id, slug, through_a_proxy, without_database};
use crate::user;

const KEY: (&str, &str) = ("idempotency-key", "\"ada\"");

/// A world with an API, and no worker yet.
async fn api() -> World {
    let mut world = World::of_domains(&[auth::DOMAIN, users::DOMAIN, orders::DOMAIN]).await;
    world.start_api().await;
    world
}

/// Starts the subscribers of the users' events, and ends the world.
async fn finish(mut world: World) {
    world.start_worker::<Auth>(&[]);
    world.start_worker::<Orders>(&[]);
    world.finish().await;
}

/// The answer once the API says that a worker has the job already. A look at the ledger that takes too long is not waited
/// for, so it may need more than one.
async fn replayed(world: &World, caller: &Caller, body: &Value) -> Answer {
    world
        .until_some("the job to be known", async |_| {
            let answer = caller.post("users.register", &[KEY], body).await;
            (answer.headers.get("idempotency-replayed").map(String::as_str) == Some("true")).then_some(answer)
        })
        .await
}

#[tokio::test]
async fn a_hundred_posts_to_two_processes_with_one_key_are_one_job() {
    let mut world = api().await;
    let (second, body) = (another_api(&world, world.api_settings()).await, user(None));
    let apis = [Caller::of(&world), Caller::of(&world).at(&second)];
    let posts = (0..100).map(|number: usize| apis[number % 2].post("users.register", &[KEY], &body));
    let answers = join_all(posts).await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:#?}");
    let job = job_id(&answers[0]);
    assert!(answers.iter().all(|answer| job_id(answer) == job), "{answers:#?}");
    assert!(job.as_bytes()[0] == 0xff, "it carries no time: {job}");
    world.start_worker::<Users>(&[]);
    world
        .until("the job to be handled", async |world| {
            world.count("SELECT count(*) FROM ledger.entries").await == 1
        })
        .await;
    world.until("all its copies to be worked off", async |world| world.depth("users").await == 0).await;
    assert_eq!(world.count("SELECT count(*) FROM users.users").await, 1);
    let again = replayed(&world, &apis[0], &body).await;
    assert_eq!((again.status, job_id(&again)), (202, job));
    assert!(!answers.iter().any(|answer| answer.headers.contains_key("idempotency-replayed")));
    second.stop().await;
    finish(world).await;
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let mut world = api().await;
    let second = another_api(&world, world.api_settings()).await;
    let (here, there) = (Caller::of(&world), Caller::of(&world).at(&second));
    let (body, other) = (user(None), user(None));
    assert_eq!(here.post("users.register", &[KEY], &body).await.status, 202);
    // No worker has received it yet, but this process remembers.
    for (command, body) in
        [("users.register", &other), ("orders.cancel", &json!({"order_id": uuid::Uuid::nil()}))]
    {
        let refused = here.post(command, &[KEY], body).await;
        assert_eq!((refused.status, slug(&refused)), (422, "idempotency-key-reused"), "{:#}", refused.json);
    }
    world.start_worker::<Users>(&[]);
    world
        .until("the job to be handled", async |world| {
            world.count("SELECT count(*) FROM ledger.entries").await == 1
        })
        .await;
    let refused = there.post("users.register", &[KEY], &other).await;
    assert_eq!(
        (refused.status, slug(&refused)),
        (422, "idempotency-key-reused"),
        "the ledger knows: {:#}",
        refused.json
    );
    assert_eq!(replayed(&world, &there, &body).await.status, 202);
    assert_eq!(world.count("SELECT count(*) FROM users.users").await, 1);
    second.stop().await;
    finish(world).await;
}

#[tokio::test]
async fn a_key_means_the_same_while_postgres_is_down() {
    let mut world = api().await;
    let (second, body) = (another_api(&world, without_database(&world)).await, user(None));
    let there = Caller::of(&world).at(&second);
    world
        .until("that API to reach the broker", async |_| {
            there.post("users.register", &[KEY], &body).await.status == 202
        })
        .await;
    let (first, again) = (
        Caller::of(&world).post("users.register", &[KEY], &body).await,
        there.post("users.register", &[KEY], &body).await,
    );
    assert_eq!((first.status, again.status, job_id(&first)), (202, 202, job_id(&again)));
    let refused = there.post("users.register", &[KEY], &user(None)).await;
    assert_eq!((refused.status, slug(&refused)), (422, "idempotency-key-reused"));
    world.start_worker::<Users>(&[]);
    world.until("all copies to be worked off", async |world| world.depth("users").await == 0).await;
    second.stop().await;
    finish(world).await;
}

/// Data that a process received while it could not read the ledger does not count.
#[tokio::test]
async fn the_ledger_counts_more_than_what_a_process_remembers() {
    let mut world = api().await;
    world.start_worker::<Users>(&[]);
    let (settings, proxy) = through_a_proxy(&world).await;
    let second = another_api(&world, settings).await;
    let (here, there) = (Caller::of(&world), Caller::of(&world).at(&second));
    world.until("the other API to be ready", async |_| there.get("/readyz").await.status == 200).await;
    let (body, other) = (user(None), user(None));
    assert_eq!(here.post("users.register", &[KEY], &body).await.status, 202);
    replayed(&world, &here, &body).await;
    proxy.set(Rule::Reset);
    let unnoticed = there.post("users.register", &[KEY], &other).await;
    assert_eq!(unnoticed.status, 202, "it can't know: {:#}", unnoticed.json);
    proxy.set(Rule::Pass);
    replayed(&world, &there, &body).await;
    let refused = there.post("users.register", &[KEY], &other).await;
    assert_eq!((refused.status, slug(&refused)), (422, "idempotency-key-reused"));
    assert_eq!(world.count("SELECT count(*) FROM users.users").await, 1);
    second.stop().await;
    finish(world).await;
}

#[tokio::test]
async fn a_key_belongs_to_its_client_and_a_new_api_key_is_shown_again() {
    let mut world = api().await;
    world.start_worker::<Auth>(&[]);
    let second = another_api(&world, world.api_settings()).await;
    let dev = Caller::of(&world);
    let asked = json!({"client_id": "shop", "name": "shop", "scopes": ["jobs:*"]});
    let first = dev.post("auth.issue-api-key", &[KEY, ("prefer", "wait=10")], &asked).await;
    let again = dev.at(&second).post("auth.issue-api-key", &[KEY], &asked).await;
    assert_eq!((first.status, again.status), (200, 202), "{:#}", again.json);
    assert_eq!(
        (&first.json["api_key"], &first.json["job_id"]),
        (&again.json["api_key"], &again.json["job_id"])
    );
    let shop = dev.with(first.json["api_key"].as_str().expect("shown"));
    let body = user(None);
    let own = shop.post("users.register", &[("idempotency-key", "\"same\"")], &body).await;
    let others = dev.post("users.register", &[("idempotency-key", "\"same\"")], &user(None)).await;
    assert_eq!((own.status, others.status), (202, 202));
    assert_ne!(job_id(&own), job_id(&others));
    assert_eq!(dev.get(&format!("/v1/jobs/{}", job_id(&own))).await.status, 404);
    let (_, mall) = issued(&dev, "mall", &json!({})).await;
    assert_eq!(dev.with(&mall).get(&format!("/v1/jobs/{}", job_id(&own))).await.status, 404);
    second.stop().await;
    world.claim("users", 2);
    world.finish().await;
}
