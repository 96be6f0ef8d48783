//! A rule that does not return: its lane is missed, and `/healthz` says so until it goes on.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_protocol::{
    About, Catalog, Contract, Domain as Listed, DomainName, Envelope, Kind, Unreadable, read,
};
use millrace_runtime::{Context, Decision, Domain, NoEffects, Rejection, SaveError, Store};
use millrace_testkit::services::ports;
use millrace_testkit::system::System;
use millrace_testkit::world::{World, answer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

const SLEEPERS: DomainName = DomainName::new("sleepers");
static AWAKE: AtomicBool = AtomicBool::new(false);
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let about = About { title: "Sleepers", version: "1.0.0", description: "Those that sleep." };
    Catalog::new(about, [Listed::new(SLEEPERS).message::<Sleep>()])
});

#[derive(Serialize, Deserialize, JsonSchema)]
struct Sleep {}

impl Contract for Sleep {
    const TYPE: &'static str = "sleepers.sleep";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self {}
    }
}

/// Wakes the rule also when the test fails: otherwise the test's runtime would wait for it.
struct WakesAll;

impl Drop for WakesAll {
    fn drop(&mut self) {
        AWAKE.store(true, Ordering::SeqCst);
    }
}

struct Sleepers;

#[derive(Default)]
struct Nothing;

impl millrace_runtime::Facts for Nothing {
    type Change = ();
    fn apply(&mut self, (): ()) {}
}

impl Domain for Sleepers {
    const NAME: DomainName = SLEEPERS;
    type Message = Sleep;
    type Facts = Nothing;
    type Effects = NoEffects;

    fn read(envelope: &Envelope, body: &[u8]) -> Result<Sleep, Unreadable> {
        read(envelope.version, body)
    }

    fn declare(_: &Sleep, _: &mut Nothing) {}

    fn decide(_: &Nothing, _: &Sleep, _: &Context<'_>) -> Result<Decision<()>, Rejection> {
        // Only this lane is to stand still, and not what else runs on its thread.
        tokio::task::block_in_place(|| {
            while !AWAKE.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Ok(Decision::new(json!({})))
    }
}

impl Store for Sleepers {
    async fn load(_: &mut PgConnection, _: &mut Nothing) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn save(_: &mut PgConnection, _: &Nothing) -> Result<(), SaveError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_lane_that_is_stuck_is_missed() {
    let sleeping = WakesAll;
    let mut world = World::of(System { catalog: &CATALOG, migrations: None, invariants: &[] }).await;
    let [port] = ports::free().expect("a free port");
    let listen = format!("--probes-listen=127.0.0.1:{port}");
    world.start_worker::<Sleepers>(&[&listen, "--worker-lanes=2", "--worker-stuck-after-ms=5000"]);
    world.start_api().await;
    let until = async |status: u16| {
        let probe = async |_: &World| {
            let response = reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await.ok()?;
            Some(answer(response).await).filter(|answer| answer.status == status)
        };
        world.until_some(&format!("/healthz to answer {status}"), probe).await.json
    };
    until(200).await;
    let job = world.job("sleepers.sleep", &json!({})).await;
    let body = until(503).await;
    assert_eq!(body["stuck"].as_array().map(Vec::len), Some(1), "the other lane only waits: {body}");
    drop(sleeping);
    until(200).await;
    world.expect(job, "succeeded").await;
    world.finish().await;
}
