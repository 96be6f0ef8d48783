//! A database that vanishes in silence, as a machine does that loses its network, or makes a lane wait: lanes notice, and say when
//! they went on.

use std::net::SocketAddr;

use millrace_contracts::auth;
use millrace_testkit::stack::proxy::{Proxy, Rule};
use millrace_testkit::world::World;
use millrace_workers::auth::Auth;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

/// Starts a worker whose first connection falls silent after this many answers; then the database is back.
async fn vanishes_after(answers: u32) {
    let mut world = World::of_domains(&[auth::DOMAIN]).await;
    world.start_api().await;
    let mut url = Url::parse(&world.database_url).expect("the world's own URL");
    let host = url.host_str().unwrap_or("127.0.0.1").to_owned();
    let target = tokio::net::lookup_host((host, url.port().unwrap_or(5432))).await.expect("an address");
    let target: SocketAddr = target.into_iter().next().expect("an address");
    let proxy = Proxy::start(target).await.expect("a free port");
    url.set_ip_host(proxy.address().ip()).expect("a URL with a host");
    url.set_port(Some(proxy.address().port())).expect("a URL with a port");
    world.database_url = url.into();

    proxy.set(Rule::VanishAfter(answers));
    world.start_worker::<Auth>(&["--worker-lanes=1"]);
    world.until("the database to vanish", async |_| proxy.take_cuts() > 0).await;
    proxy.set(Rule::Pass);
    let job = world
        .job("auth.issue-api-key", &json!({"client_id": "shop", "name": "till", "scopes": ["jobs:*"]}))
        .await;
    world.expect(job, "succeeded").await;
    world.finish().await;
}

#[tokio::test]
async fn when_a_lane_has_just_logged_in() {
    vanishes_after(1).await;
}

#[tokio::test]
async fn when_a_lane_asks_whether_the_server_forgets() {
    vanishes_after(2).await;
}

#[tokio::test]
async fn when_a_lane_asks_whether_the_server_is_there() {
    vanishes_after(3).await;
}

#[tokio::test]
async fn what_waited_for_a_lock_was_handled_after_it() {
    let mut world = World::of_domains(&[auth::DOMAIN]).await;
    world.start_worker::<Auth>(&[]);
    world.start_api().await;
    let mut lock = world.database.begin().await.expect("a connection");
    sqlx::query("LOCK TABLE auth.api_keys IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .expect("a lock");
    let job = world
        .job("auth.issue-api-key", &json!({"client_id": "shop", "name": "till", "scopes": ["jobs:*"]}))
        .await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'auth.api_keys'::regclass \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    world.until("the worker to wait", async |world| world.count(waiting).await > 0).await;
    let released_at = OffsetDateTime::now_utc();
    lock.rollback().await.expect("an open transaction");
    let view = world.expect(job, "succeeded").await;
    let handled_at = view["handled_at"].as_str().expect("a time");
    let handled_at = OffsetDateTime::parse(handled_at, &Rfc3339).expect("as RFC 3339 writes it");
    assert!(handled_at >= released_at, "handled at {handled_at}, locked until {released_at}");
    world.finish().await;
}
