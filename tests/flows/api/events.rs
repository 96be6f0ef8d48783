//! `GET /v1/jobs/{id}/events`: a flow as it happens, resumed where it broke off.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use millrace_contracts::{auth, orders, users};
use millrace_testkit::world::World;
use millrace_workers::auth::Auth;
use millrace_workers::orders::Orders;
use millrace_workers::users::Users;
use serde_json::Value;
use uuid::Uuid;

use super::{Caller, another_api};
use crate::user;

/// One event: its id, its name, its data.
type Event = (String, String, Value);

async fn open(caller: &Caller, job: Uuid, last_id: &str) -> reqwest::Response {
    let request = caller.getting(&format!("/v1/jobs/{job}/events")).header("last-event-id", last_id);
    request.send().await.expect("the API answers")
}

/// All events until the stream ends.
async fn all(response: reqwest::Response) -> Vec<Event> {
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    events(&response.text().await.expect("the stream ends"))
}

fn events(text: &str) -> Vec<Event> {
    let field = |block: &str, name: &str| {
        let line =
            block.lines().find_map(|line| line.strip_prefix(name).map(|rest| rest.trim_start().to_owned()));
        line.unwrap_or_default()
    };
    text.split("\n\n")
        .filter(|block| block.contains("data:"))
        .map(|block| {
            let data = serde_json::from_str(&field(block, "data:")).expect("JSON");
            (field(block, "id:"), field(block, "event:"), data)
        })
        .collect()
}

fn states(events: &[Event]) -> Vec<String> {
    let text = |data: &Value, name: &str| data[name].as_str().unwrap_or_default().to_owned();
    events
        .iter()
        .map(|(_, name, data)| match name.as_str() {
            "flow" => format!("flow {}", text(data, "state")),
            _ => format!("{} by {}: {}", text(data, "type"), text(data, "handler"), text(data, "status")),
        })
        .collect()
}

#[tokio::test]
async fn a_flow_is_told_as_it_happens_and_once() {
    let mut world = World::of_domains(&[auth::DOMAIN, users::DOMAIN, orders::DOMAIN]).await;
    world.start_api().await;
    let caller = Caller::of(&world);
    let job = world.job("users.register", &user(None)).await;
    let mut stream = open(&caller, job, "").await.bytes_stream();
    let mut text = String::new();
    while !text.contains("flow") {
        let chunk = stream.next().await.expect("the flow's state now").expect("readable");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert_eq!(states(&events(&text)), [" by : pending", "flow running"]);
    world.start_worker::<Users>(&[]);
    world.start_worker::<Auth>(&[]);
    world.start_worker::<Orders>(&[]);
    while let Some(chunk) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&chunk.expect("readable")));
    }
    let told = events(&text);
    let last = states(&told);
    assert_eq!(last.last().map(String::as_str), Some("flow settled"), "{last:?}");
    for once in [
        "users.register by users: succeeded",
        "users.registered by auth: succeeded",
        "users.registered by orders: succeeded",
    ] {
        assert_eq!(last.iter().filter(|state| *state == once).count(), 1, "{once}: {last:?}");
    }
    let second = another_api(&world, world.api_settings()).await;
    let there = caller.at(&second);
    world.until("the other API to be ready", async |_| there.get("/readyz").await.status == 200).await;
    let nothing = open(&there, job, &told.last().expect("events").0).await;
    assert_eq!(nothing.status().as_u16(), 204, "nothing more will come");
    let resumed = states(&all(open(&there, job, &told[1].0).await).await);
    assert!(
        !resumed.contains(&" by : pending".to_owned()) && resumed.len() >= 4,
        "what is new since: {resumed:?}"
    );
    assert_eq!(
        all(open(&there, job, "").await).await.len(),
        4,
        "from the beginning: three messages and the flow"
    );
    second.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn an_api_that_stops_ends_its_streams() {
    let mut world = World::empty().await;
    world.start_api().await;
    let api = another_api(&world, world.api_settings()).await;
    let caller = Caller::of(&world).at(&api);
    world.until("the API to be ready", async |_| caller.get("/readyz").await.status == 200).await;
    let job = world.job("users.register", &user(None)).await;
    let listening = open(&caller, job, "").await;
    let started = Instant::now();
    api.stop().await;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let told = all(listening).await;
    assert_eq!(states(&told), [" by : pending", "flow running"]);
    world.claim("users", 1);
    world.finish().await;
}
