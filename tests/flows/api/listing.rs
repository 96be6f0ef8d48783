//! `GET /v1/jobs`: a client's own jobs, page by page.

use std::collections::BTreeSet;

use millrace_testkit::world::World;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Caller, issued, slug};
use crate::{user, world_at_work};

async fn pages(caller: &Caller, first: &str) -> Vec<Vec<Value>> {
    let (mut path, mut pages) = (Some(first.to_owned()), Vec::new());
    while let Some(next) = path {
        let page = caller.get(&next).await;
        assert_eq!(page.status, 200, "{:#}", page.json);
        assert_eq!(page.json["next"].is_string(), page.headers.contains_key("link"));
        pages.push(page.json["jobs"].as_array().expect("a list").clone());
        path = page.json["next"].as_str().map(str::to_owned);
        assert!(pages.len() < 100, "it must end");
    }
    pages
}

fn ids(pages: &[Vec<Value>]) -> Vec<String> {
    pages.iter().flatten().map(|job| job["job_id"].as_str().expect("an id").to_owned()).collect()
}

async fn posted(world: &World) -> (BTreeSet<String>, String) {
    let mut jobs = BTreeSet::new();
    for number in 0..23 {
        let key = format!("\"{number}\"");
        let headers: &[_] = if number % 2 == 0 { &[("idempotency-key", key.as_str())] } else { &[] };
        let answer = Caller::of(world).post("users.register", headers, &user(None)).await;
        jobs.insert(answer.json["job_id"].as_str().expect("a job").to_owned());
    }
    let refused = world.job("users.deactivate", &json!({"user_id": Uuid::now_v7()})).await;
    for job in jobs.iter().map(|job| job.parse().expect("an id")).chain([refused]) {
        world.outcome(job).await;
    }
    (jobs, refused.to_string())
}

#[tokio::test]
async fn every_own_job_is_on_exactly_one_page_and_no_one_elses() {
    let world = world_at_work().await;
    let (registered, refused) = posted(&world).await;
    let dev = Caller::of(&world);
    let (key, shop) = issued(&dev, "shop", &json!({})).await;
    let pages_of_five = pages(&dev, "/v1/jobs?limit=5").await;
    assert!(pages_of_five.iter().all(|page| page.len() <= 5));
    let all = ids(&pages_of_five);
    let expected: BTreeSet<_> =
        registered.iter().cloned().chain([refused.clone(), key.to_string()]).collect();
    assert_eq!((all.len(), all.iter().cloned().collect::<BTreeSet<_>>()), (25, expected));
    let times: Vec<_> = pages_of_five.iter().flatten().map(|job| job["received_at"].to_string()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "those that came last first: {times:?}");
    assert_eq!(ids(&pages(&dev, "/v1/jobs?status=refused").await), [refused]);
    let registering = ids(&pages(&dev, "/v1/jobs?command=users.register&limit=4&status=succeeded").await);
    assert_eq!(registering.into_iter().collect::<BTreeSet<_>>(), registered);
    assert_eq!(ids(&pages(&dev, "/v1/jobs?since=2099-01-01T00:00:00Z").await), [""; 0]);
    assert_eq!(ids(&pages(&dev, "/v1/jobs?since=2020-01-01T00:00:00%2B01:00").await).len(), 25);
    assert_eq!(ids(&pages(&dev.with(&shop), "/v1/jobs").await), [""; 0], "another client has none");
    world.finish().await;
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_told_where() {
    let mut world = World::empty().await;
    world.start_api().await;
    let caller = Caller::of(&world);
    for (query, pointer) in [
        ("status=done", "/status"),
        ("status=accepted", "/status"),
        ("command=orders.placed", "/command"),
        ("since=yesterday", "/since"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("cursor=1", "/cursor"),
        ("cursor=99999999999999999999-01980000000070008000000000000001", "/cursor"),
        ("page=2", ""),
        ("limit=1&limit=2", ""),
    ] {
        let refused = caller.get(&format!("/v1/jobs?{query}")).await;
        assert_eq!((refused.status, slug(&refused)), (400, "invalid-query"), "{query}: {:#}", refused.json);
        assert_eq!(refused.json["errors"][0]["pointer"], pointer, "{query}: {:#}", refused.json);
    }
    world.finish().await;
}
