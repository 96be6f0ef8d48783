//! API keys: the first one, made by an operator, and when they were last used, as the API reports it.

use millrace_contracts::{ApiKey, auth};
use millrace_testkit::world::World;
use millrace_workers::auth::Auth;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::duplicates::publish;
use super::{ops, written};

const FIRST: [&str; 6] = ["keys", "bootstrap", "--client", "admin", "--name", "first key"];

/// The first key's command, with more flags.
fn first<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    FIRST.iter().chain(flags).copied().collect()
}

async fn world_of_auth() -> World {
    let mut world = World::of_domains(&[auth::DOMAIN]).await;
    world.start_worker::<Auth>(&[]);
    world
}

async fn last_used_at(world: &World, key: Uuid) -> Option<OffsetDateTime> {
    let uses = sqlx::query_scalar("SELECT last_used_at FROM auth.api_keys WHERE key_id = $1").bind(key);
    uses.fetch_one(&world.database).await.expect("the key exists")
}

#[tokio::test]
async fn the_latest_use_of_a_key_is_remembered() {
    let world = world_of_auth().await;
    let (used, unused) = (Uuid::now_v7(), Uuid::now_v7());
    for key in [used, unused] {
        let hash = ApiKey::hash_of(&key.to_string());
        let issue = json!({"key_id": key, "client_id": "shop", "name": "shop", "scopes": ["jobs:*"],
                           "key_prefix": "mr_000000", "key_hash": hash});
        publish(&world, "auth.issue-api-key", key, &issue).await;
    }
    world
        .until("both keys", async |world| world.count("SELECT count(*) FROM auth.api_keys").await == 2)
        .await;
    assert_eq!(last_used_at(&world, used).await, None);
    let noon = datetime!(2026-01-01 12:00 UTC);
    let handled =
        "SELECT count(*) FROM ledger.entries WHERE type = 'auth.note-key-use' AND status = 'succeeded'";
    for (news, used_at) in [(1, "2026-01-01T12:00:00Z"), (2, "2026-01-01T11:59:00Z")] {
        let uses = [used, Uuid::now_v7()].map(|key| json!({"key_id": key, "used_at": used_at}));
        publish(&world, "auth.note-key-use", Uuid::now_v7(), &json!({"uses": uses})).await;
        world.until("auth to hear of it", async |world| world.count(handled).await == news).await;
        assert_eq!(last_used_at(&world, used).await, Some(noon), "after {used_at}");
    }
    assert_eq!(last_used_at(&world, unused).await, None);
    world.finish().await;
}

#[tokio::test]
async fn the_first_key_is_shown_once_and_there_is_no_second_first_one() {
    let world = world_of_auth().await;
    assert!(written(&ops(&world, &["keys", "list"]).await).0.starts_with("There are no API keys"));

    let made = ops(&world, &first(&["--scopes", "jobs:auth.*", "--expires-in-days", "7"])).await;
    let (key, errors) = written(&made);
    assert!(made.status.success(), "{errors}");
    let key = key.strip_suffix('\n').expect("a line").to_owned();
    assert!(key.starts_with("mr_") && key.len() == 46 && !errors.contains(&key), "{key:?}: {errors}");
    let stored: (String, String) =
        sqlx::query_as("SELECT key_hash, client_id FROM auth.api_keys WHERE status = 'active'")
            .fetch_one(&world.database)
            .await
            .expect("one key");
    assert_eq!(stored, (ApiKey::hash_of(&key).as_str().to_owned(), "admin".to_owned()));

    let again = ops(&world, &FIRST).await;
    let (out, errors) = written(&again);
    assert_eq!((again.status.code(), out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains(&key[..11]) && errors.contains("may issue keys"), "{errors}");

    assert!(ops(&world, &first(&["--force"])).await.status.success());
    let (listed, _) = written(&ops(&world, &["keys", "list"]).await);
    assert_eq!(listed.lines().count(), 4, "two keys: {listed}");
    assert!(listed.contains(&format!("{} admin \"first key\": active, expires ", &key[..11])), "{listed}");
    assert!(!listed.contains(&key) && !listed.contains(&stored.0), "neither key nor hash: {listed}");
    world.finish().await;
}

/// A key that may not issue others, or works no longer, is no way in.
#[tokio::test]
async fn only_a_key_that_may_issue_keys_and_is_alive_stands_in_the_way() {
    let world = world_of_auth().await;
    assert!(
        ops(&world, &first(&["--scopes", "jobs:orders.*,jobs:auth.set-password"])).await.status.success()
    );
    let past =
        "WITH past AS (UPDATE auth.api_keys SET expires_at = now() RETURNING 1) SELECT count(*) FROM past";
    let revoked = "WITH revoked AS (UPDATE auth.api_keys SET status = 'revoked' RETURNING 1) SELECT count(*) FROM revoked";
    assert!(ops(&world, &FIRST).await.status.success());
    assert!(!ops(&world, &FIRST).await.status.success());
    assert_eq!(world.count(past).await, 2);
    assert!(ops(&world, &first(&["--scopes", "jobs:auth.issue-api-key"])).await.status.success());
    assert!(!ops(&world, &FIRST).await.status.success());
    assert_eq!(world.count(revoked).await, 3);
    assert!(ops(&world, &FIRST).await.status.success());
    world.finish().await;
}

#[tokio::test]
async fn without_an_auth_worker_or_a_broker_no_key_is_shown() {
    let mut world = World::of_domains(&[auth::DOMAIN]).await;
    let late = ops(&world, &first(&["--bootstrap-deadline-ms", "300"])).await;
    let (out, errors) = written(&late);
    assert_eq!((late.status.code(), out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("The auth worker has not issued the key within 300 ms"), "{errors}");
    world.claim("auth", 1);

    let nowhere = format!("{}-that-is-not-there", world.amqp_url);
    let refused = ops(&world, &first(&["--amqp-url", &nowhere])).await;
    let (out, errors) = written(&refused);
    assert_eq!((refused.status.code(), out.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("No key was issued: the broker refuses the connection"), "{errors}");
    world.finish().await;
}
