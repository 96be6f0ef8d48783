//! What is written twice is there twice, also where the tables themselves hide it.

use uuid::Uuid;

use super::{clear, effects, install, notes};
use crate::world::World;

async fn run(world: &World, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&world.database).await.expect("a statement of the test's own");
}

#[tokio::test]
async fn what_an_upsert_hides_is_seen() {
    let world = World::empty().await;
    install(&world.database).await.expect("a migrated database");
    install(&world.database).await.expect("a second time changes nothing");
    let upsert = "INSERT INTO orders.customers (user_id, status, version)
        VALUES ('01980000-0000-7000-8000-000000000001', 'active', 1)
        ON CONFLICT (user_id) DO UPDATE SET version = excluded.version";
    run(&world, upsert).await;
    run(&world, upsert).await;
    run(&world, "UPDATE orders.customers SET status = 'deactivated', version = 2").await;
    run(&world, "DELETE FROM orders.customers").await;

    let found = effects(&world.database).await.expect("the journal");
    let seen: Vec<_> = found
        .iter()
        .map(|it| (it.operation.as_str(), it.old_version, it.new_version, it.new_state.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            ("INSERT", None, Some(1), Some("active")),
            ("UPDATE", Some(1), Some(1), Some("active")),
            ("UPDATE", Some(1), Some(2), Some("deactivated")),
            ("DELETE", Some(2), None, None),
        ]
    );
    assert!(found.iter().all(|it| it.place == "orders.customers" && it.key.ends_with("0001")));
    world.finish().await;
}

#[tokio::test]
async fn the_ledger_is_watched_in_every_partition() {
    let world = World::empty().await;
    install(&world.database).await.expect("a migrated database");
    // One in this week's partition, one among the foreign ids.
    for id in [Uuid::now_v7(), Uuid::nil()] {
        let row = "INSERT INTO ledger.entries (handler, message_id, job_id, causation_id, client_id, type, status,
                attempts, fingerprint, problem, emitted, received_at)
            VALUES ('orders', $1, $1, $1, 'dev', 'orders.place', 'retrying', 1, '', '{\"type\":\"x\"}', '[]', now())";
        sqlx::query(row).bind(id).execute(&world.database).await.expect("a row");
    }
    run(&world, "UPDATE ledger.entries SET status = 'succeeded', attempts = 2, problem = NULL").await;

    let found = notes(&world.database).await.expect("the journal");
    let ended = found.iter().filter(|it| it.status == "succeeded" && it.attempts == 2).count();
    assert_eq!((found.len(), ended), (4, 2));
    assert!(found.iter().all(|it| it.emitted_md5.as_deref() == Some("d751713988987e9331980363e24189ce")));

    clear(&world.database).await.expect("the journal can be emptied");
    assert!(notes(&world.database).await.expect("the journal").is_empty());
    run(&world, "DELETE FROM ledger.entries").await;
    world.finish().await;
}
