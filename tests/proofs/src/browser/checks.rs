//! The checks: what a user of the page must find.

use fantoccini::key::Key;
use millrace_testkit::world::{API_KEY, World};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::browser::orders;
use crate::browser::reader::{Look, Reader};

const LOOKS: [(&str, Look); 4] = [
    ("wide-light.png", Look { scheme: "light", width: 1280, height: 800 }),
    ("wide-dark.png", Look { scheme: "dark", width: 1280, height: 800 }),
    ("narrow-light.png", Look { scheme: "light", width: 400, height: 900 }),
    ("narrow-dark.png", Look { scheme: "dark", width: 400, height: 900 }),
];
/// The rows of an order that is paid, as the page words them.
const ROWS: [&str; 5] = [
    "orders.place | orders | succeeded",
    "orders.placed, caused by orders.place | payments | succeeded",
    "payments.charge, caused by orders.placed | payments | succeeded",
    "payments.captured, caused by payments.charge | orders | succeeded",
    "orders.confirmed, caused by payments.captured | nobody | unsubscribed",
];

/// Starts a world and goes through everything that a user can do on the page.
pub async fn run(reader: Reader) {
    let mut world = World::of_domains(&orders::DOMAINS).await;
    world.start_api().await;
    reader.look(LOOKS[0].1).await;
    let customer = orders::customer(&world).await;
    let job = orders::order(&world, customer).await;
    reader.open(&world.url(&format!("/jobs/{job}"))).await;

    stream_is_read_wherever_it_is_cut(&reader).await;
    key_is_asked_for(&reader).await;
    page_follows_the_job(&reader, &mut world).await;
    rows_open_by_keyboard(&reader, job).await;
    page_reads_well_everywhere(&reader).await;
    key_is_forgotten(&reader).await;
    page_waits_for_the_network(&reader).await;
    unknown_job_is_told(&reader, &world).await;
    page_asks_nobody_else(&reader, &world).await;
    world.finish().await;
}

fn passed(what: &str) {
    println!("browser: ✓ {what}");
}

async fn stream_is_read_wherever_it_is_cut(reader: &Reader) {
    let wrong = reader.run_later(include_str!("event_stream.js")).await;
    assert_eq!(wrong, json!([]), "events that are cut in three");
    passed("a stream of events is read wherever it is cut");
}

async fn key_is_asked_for(reader: &Reader) {
    reader.until("#key-title", |title| title == "Whose job is it?").await;
    assert_eq!(
        reader.run("return document.activeElement.id").await,
        json!("key-input"),
        "one may type at once"
    );
    reader.screenshot("key.png").await;
    assert_quiet(reader).await;

    reader.write("not-the-key-of-anybody").await;
    reader.press(Key::Enter.into()).await;
    let told = reader.until("#key-error", |text| !text.is_empty()).await;
    assert_eq!(told, "This API key is unknown, or no longer valid.");
    assert_eq!(reader.run("return sessionStorage.length").await, json!(0), "a wrong key is not kept");
    assert_eq!(reader.run("return document.activeElement.id").await, json!("key-input"));
    reader.screenshot("wrong-key.png").await;
    assert_only_refusals(reader, "401").await;

    // The wrong key is selected, so that typing replaces it.
    reader.write(API_KEY).await;
    reader.tab_to("#key button").await;
    reader.press(Key::Enter.into()).await;
    reader.until("#state", |state| state == "Accepted: waiting for a worker.").await;
    passed("the key is asked for, and a wrong one is told");
}

async fn page_follows_the_job(reader: &Reader, world: &mut World) {
    reader.until("#connection", |state| state == "Live").await;
    assert_eq!(rows(reader).await.len(), 1, "only the command is known");
    reader.screenshot("waiting.png").await;
    reader.run("window.loadedBefore = true").await;
    reader.network(false).await;
    reader.until("#notice-title", |title| title == "Offline").await;
    reader.network(true).await;
    reader.until("#connection", |state| state == "Live").await;
    assert_only_refusals(reader, "net::ERR_INTERNET_DISCONNECTED").await;
    orders::start_workers(world);
    let state = reader.until("#state", |state| state.starts_with("Settled")).await;
    assert!(state.starts_with("Settled: 4 messages handled in "), "{state}");
    reader.until("#connection", |state| state == "Complete").await;
    assert_eq!(rows(reader).await, ROWS);
    assert_eq!(reader.texts("#command").await, ["orders.place"]);
    assert_eq!(reader.run("return window.loadedBefore").await, json!(true), "nothing was loaded again");
    assert_eq!(reader.run("return document.title").await, json!("settled · orders.place · Millrace"));
    assert_quiet(reader).await;
    passed("the page follows the job until it is settled, over a break of the network");
}

/// Name, handler and status of each row.
async fn rows(reader: &Reader) -> Vec<String> {
    let script = "return [...document.querySelectorAll('#rows summary')].map(row =>
        ['.name', '.handler', '.chip'].map(part => row.querySelector(part).textContent).join(' | '))";
    serde_json::from_value(reader.run(script).await).expect("texts")
}

async fn rows_open_by_keyboard(reader: &Reader, job: Uuid) {
    reader.tab_to("#rows li:first-child summary").await;
    reader.press(Key::Enter.into()).await;
    let told = reader.until("#rows li:first-child dl", |text| !text.is_empty()).await;
    assert!(told.contains(&job.to_string()), "the message's id is in {told}");
    assert!(told.contains("\"order_id\": "), "the result is in {told}");
    assert!(told.contains(" UTC, ") && told.contains(" after the job was accepted"), "times are in {told}");
    reader.tab_to("#rows li:first-child .copy").await;
    reader.press(Key::Enter.into()).await;
    let button = reader.until("#rows li:first-child .copy", |word| word != "Copy").await;
    assert!(["Copied", "Selected"].contains(&button.as_str()), "{button}");
    reader.tab_to("#rows li:nth-child(2) summary").await;
    reader.press(' ').await;
    reader.until("#rows li:nth-child(2) dl", |text| text.contains("Caused by")).await;
    reader.press(' ').await;
    reader.until("#rows li:nth-child(2) dl", str::is_empty).await;
    assert_quiet(reader).await;
    passed("rows open by keyboard");
}

async fn page_reads_well_everywhere(reader: &Reader) {
    for (name, look) in LOOKS {
        reader.look(look).await;
        let poor = reader.run(include_str!("contrast.js")).await;
        assert_eq!(poor, json!([]), "contrast, {name}");
        let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(reader.run(wider).await, json!(0), "nothing is cut off at the side, {name}");
        let moving = reader.run("return document.getAnimations().length").await;
        assert_eq!(moving, json!(0), "nothing moves for those who asked for that, {name}");
        reader.screenshot(name).await;
    }
    reader.look(LOOKS[0].1).await;
    passed("the page reads well in light and dark, wide and narrow");
}

async fn key_is_forgotten(reader: &Reader) {
    assert_eq!(reader.run("return sessionStorage.length").await, json!(1));
    reader.tab_to("#forget").await;
    reader.press(Key::Enter.into()).await;
    reader.until("#key-title", |title| !title.is_empty()).await;
    assert_eq!(reader.run("return sessionStorage.length + localStorage.length").await, json!(0));
    let left =
        "return document.querySelectorAll('#rows li').length + document.getElementById('key-input').value";
    assert_eq!(reader.run(left).await, json!("0"), "neither rows nor key are left");
    passed("the key is forgotten on request");
}

async fn page_waits_for_the_network(reader: &Reader) {
    assert_quiet(reader).await;
    reader.network(false).await;
    reader.write(API_KEY).await;
    reader.press(Key::Enter.into()).await;
    reader.until("#notice-title", |title| title == "Offline").await;
    reader.until("#notice-wait", |text| text.starts_with("Trying again in ")).await;
    reader.network(true).await;
    reader.until("#state", |state| state.starts_with("Settled")).await;
    assert!(reader.texts("#notice-title").await.is_empty(), "the notice is gone");
    assert_only_refusals(reader, "net::ERR_INTERNET_DISCONNECTED").await;
    passed("the page waits for the network");
}

async fn unknown_job_is_told(reader: &Reader, world: &World) {
    reader.open(&world.url(&format!("/jobs/{}", Uuid::now_v7()))).await;
    reader.until("#key-title", |title| !title.is_empty()).await;
    reader.write(API_KEY).await;
    reader.press(Key::Enter.into()).await;
    reader.until("#notice-title", |title| title == "No such job for this key").await;
    let told = reader.until("#notice-text", |text| !text.is_empty()).await;
    assert!(told.starts_with("This API key's client has no job with this id."), "{told}");
    reader.screenshot("unknown-job.png").await;
    assert_only_refusals(reader, "404").await;
    passed("an unknown job is told");
}

async fn page_asks_nobody_else(reader: &Reader, world: &World) {
    let own = world.url("/");
    let asked = reader.requests(&own).await;
    let to = |request: &Value| request["url"].as_str().unwrap_or_default().to_owned();
    let foreign =
        asked.iter().map(to).filter(|url| !url.starts_with(&own) && !url.starts_with("data:image/"));
    assert_eq!(foreign.collect::<Vec<_>>(), Vec::<String>::new(), "asked elsewhere");
    let streams: Vec<_> = asked.iter().filter(|request| to(request).ends_with("/events")).collect();
    assert!(streams.iter().any(|stream| stream["headers"]["Last-Event-ID"].is_string()), "{streams:#?}");
    passed("the page sends requests to the API only, and resumes where a stream broke off");
}

async fn assert_quiet(reader: &Reader) {
    assert_eq!(reader.console().await, Vec::<String>::new(), "the console");
}

/// A browser logs each failed request; nothing else may be in the console.
async fn assert_only_refusals(reader: &Reader, reason: &str) {
    let lines = reader.console().await;
    assert!(!lines.is_empty(), "the browser notes refusals");
    for line in lines {
        assert!(line.contains("Failed to load resource") && line.contains(reason), "the console: {line}");
    }
}
