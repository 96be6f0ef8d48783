//! What is written twice is there twice, also where the tables themselves hide it.

use uuid::Uuid;

use super::{clear, install};
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

    let written = "SELECT operation, old_version, new_version, new_state FROM checker.effects
        WHERE place = 'orders.customers' AND key LIKE '%0001' ORDER BY seq";
    type Written = (String, Option<i64>, Option<i64>, Option<String>);
    let seen: Vec<Written> = sqlx::query_as(written).fetch_all(&world.database).await.expect("the journal");
    let seen: Vec<_> = seen.iter().map(|it| (it.0.as_str(), it.1, it.2, it.3.as_deref())).collect();
    assert_eq!(
        seen,
        [
            ("INSERT", None, Some(1), Some("active")),
            ("UPDATE", Some(1), Some(1), Some("active")),
            ("UPDATE", Some(1), Some(2), Some("deactivated")),
            ("DELETE", Some(2), None, None),
        ]
    );
    assert_eq!(world.count("SELECT count(*) FROM checker.effects").await, 4, "nothing else was written");
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

    let noted = "SELECT count(*) FROM checker.notes WHERE emitted_md5 = 'd751713988987e9331980363e24189ce'";
    assert_eq!(world.count(noted).await, 4);
    let ended = "SELECT count(*) FROM checker.notes WHERE status = 'succeeded' AND attempts = 2";
    assert_eq!(world.count(ended).await, 2);

    clear(&world.database).await.expect("the journal can be emptied");
    assert_eq!(world.count("SELECT count(*) FROM checker.notes").await, 0);
    run(&world, "DELETE FROM ledger.entries").await;
    world.finish().await;
}
