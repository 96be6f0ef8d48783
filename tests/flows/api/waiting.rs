//! `Prefer: wait`: the outcome with the answer, by the worker's own message.

use std::time::{Duration, Instant};

use lapin::options::ExchangeDeleteOptions;
use millrace_contracts::{UserId, users};
use millrace_testkit::world::World;
use millrace_workers::users::Users;
use serde_json::json;
use uuid::Uuid;

use super::{Caller, another_api, job_id, without_database};
use crate::{order, registered, shop_at_work, user, world_at_work};

const WAIT: (&str, &str) = ("prefer", "wait=20");

#[tokio::test]
async fn a_job_is_answered_with_its_outcome() {
    let world = shop_at_work().await;
    let customer = registered(&world).await;
    let caller = Caller::of(&world);
    let answer = caller.post("orders.place", &[WAIT], &order(customer, "pm_ok")).await;
    assert_eq!(
        (answer.status, answer.json["status"].as_str()),
        (200, Some("succeeded")),
        "{:#}",
        answer.json
    );
    assert_eq!(answer.headers["preference-applied"], "wait=20");
    assert!(answer.headers.contains_key("content-length"), "a short answer says how long it is");
    let job = job_id(&answer);
    assert_eq!(answer.json["result"]["order_id"], json!(job));
    assert_eq!(answer.json["flow"], json!({"state": "running", "handled": 1, "pending": 1, "dead": 0}));
    let settled = world.expect(job, "succeeded").await;
    assert_eq!(
        (&answer.json["handled_at"], &answer.json["result"]),
        (&settled["handled_at"], &settled["result"])
    );
    let refused = caller.post("orders.cancel", &[WAIT], &json!({"order_id": job})).await;
    let again = caller.post("orders.cancel", &[WAIT], &json!({"order_id": job})).await;
    assert_eq!(
        (refused.status, again.status, again.json["status"].as_str()),
        (200, 200, Some("refused")),
        "{:#}",
        again.json
    );
    world.finish().await;
}

/// The outcome can only come as the worker's reply: that API has no database.
#[tokio::test]
async fn the_answer_is_the_workers_own_also_after_a_retry() {
    let world = world_at_work().await;
    let api = another_api(&world, without_database(&world)).await;
    let caller = Caller::of(&world).at(&api);
    let customer = UserId(Uuid::now_v7());
    world
        .until("that API to receive replies", async |_| {
            let nobody = json!({"user_id": Uuid::now_v7()});
            caller.post("users.deactivate", &[("prefer", "wait=3")], &nobody).await.status == 200
        })
        .await;
    let early = order(customer, "pm_ok");
    let waiting = caller.post("orders.place", &[WAIT], &early);
    let registering = async {
        world.until("the order to wait", async |world| world.count("SELECT count(*) FROM ledger.entries WHERE status = 'retrying' AND type = 'orders.place'").await == 1).await;
        world.job("users.register", &user(Some(customer))).await
    };
    let (answer, _) = tokio::join!(waiting, registering);
    assert_eq!(
        (answer.status, answer.json["status"].as_str()),
        (200, Some("succeeded")),
        "{:#}",
        answer.json
    );
    assert!(answer.json["attempts"].as_u64() > Some(1), "{:#}", answer.json);
    api.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn without_a_way_for_answers_the_ledger_tells() {
    let world = world_at_work().await;
    let gone = world.channel.exchange_delete("replies".into(), ExchangeDeleteOptions::default()).await;
    gone.expect("an administrator may");
    let caller = Caller::of(&world);
    for _ in 0..2 {
        let answer = caller.post("users.register", &[WAIT], &user(None)).await;
        assert_eq!(
            (answer.status, answer.json["status"].as_str()),
            (200, Some("succeeded")),
            "{:#}",
            answer.json
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn what_takes_longer_is_answered_as_accepted_and_may_be_waited_for_later() {
    let mut world = World::of_domains(&[users::DOMAIN]).await;
    world.start_api().await;
    let (caller, started) = (Caller::of(&world), Instant::now());
    let answer = caller.post("users.register", &[("prefer", "wait=1")], &user(None)).await;
    assert_eq!((answer.status, answer.json["status"].as_str()), (202, Some("accepted")), "{:#}", answer.json);
    assert!(
        started.elapsed() >= Duration::from_secs(1) && !answer.headers.contains_key("preference-applied")
    );
    let path = answer.json["links"]["self"].as_str().expect("a link").to_owned();
    let untouched = caller.get(&format!("{path}?wait=1")).await;
    assert_eq!((untouched.status, untouched.json["status"].as_str()), (200, Some("accepted")));
    for wrong in ["?wait=soon", "?wait=-1", "?waiting=5", "?wait=1&wait=2"] {
        let refused = caller.get(&format!("{path}{wrong}")).await;
        assert_eq!(
            (refused.status, super::slug(&refused)),
            (400, "invalid-query"),
            "{wrong}: {:#}",
            refused.json
        );
    }
    let later = format!("{path}?wait=20");
    let (answer, ()) = tokio::join!(caller.get(&later), async {
        world.start_worker::<Users>(&[]);
    });
    assert_eq!(
        (answer.status, answer.json["status"].as_str()),
        (200, Some("succeeded")),
        "{:#}",
        answer.json
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    world.finish().await;
}
