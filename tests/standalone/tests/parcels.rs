//! A parcel's whole way: posted to the API, over RabbitMQ, into Postgres.

use millrace_testkit::system::System;
use millrace_testkit::world::World;
use parcels::rules::Parcels;
use serde_json::json;
use uuid::Uuid;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

fn system() -> System {
    System { catalog: parcels::catalog(), migrations: Some(&MIGRATIONS), invariants: &[] }
}

#[tokio::test]
async fn a_parcel_is_sent_once() {
    let mut world = World::of(system()).await;
    world.start_worker::<Parcels>(&[]);
    world.start_api().await;

    let parcel = json!({"parcel_id": Uuid::now_v7(), "grams": 800});
    let job = world.job("parcels.send", &parcel).await;
    let view = world.expect(job, "succeeded").await;
    assert_eq!(view["result"]["parcel_id"], parcel["parcel_id"]);
    assert_eq!(world.count("SELECT count(*) FROM parcels.parcels").await, 1);

    let again = world.job("parcels.send", &parcel).await;
    let view = world.expect(again, "refused").await;
    assert_eq!(view["problem"]["type"], "urn:millrace:problem:parcel-already-sent");
    world.finish().await;
}
