//! What the API promises its clients: one job for one idempotency key, waiting for outcomes, batches, events, lists, keys and
//! limits.

mod admission;
mod batches;
mod events;
mod idempotency;
mod listing;
mod waiting;

use std::net::ToSocketAddrs;
use std::sync::Arc;

use millrace_service::LogAlerts;
use millrace_service::settings::database_url;
use millrace_testkit::stack::proxy::Proxy;
use millrace_testkit::world::{API_KEY, Answer, World, answer};
use producer_api::{ApiServer, ApiSettings};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// A client of an API.
#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    base: String,
    key: String,
}

impl Caller {
    /// Calls the world's own API with the development key.
    fn of(world: &World) -> Self {
        Self { http: world.http.clone(), base: world.url(""), key: API_KEY.to_owned() }
    }

    /// Calls another process of the API.
    fn at(&self, api: &ApiServer) -> Self {
        Self { base: format!("http://{}", api.address()), ..self.clone() }
    }

    /// Calls with another key.
    fn with(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    async fn post(&self, command: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let request =
            self.http.post(format!("{}/v1/jobs/{command}", self.base)).bearer_auth(&self.key).json(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        answer(request.send().await.expect("the API answers")).await
    }

    fn getting(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    async fn get(&self, path: &str) -> Answer {
        answer(self.getting(path).send().await.expect("the API answers")).await
    }
}

/// One more process of the world's API.
async fn another_api(world: &World, settings: ApiSettings) -> ApiServer {
    ApiServer::start(settings, world.catalog(), Arc::new(LogAlerts)).await.expect("a free port")
}

/// The settings of an API whose database can't be reached.
fn without_database(world: &World) -> ApiSettings {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let mut settings = world.api_settings();
    settings.database.database_url = database_url(nowhere).expect("a good URL");
    settings
}

/// The settings of an API whose connections to the database can be cut.
async fn through_a_proxy(world: &World) -> (ApiSettings, Proxy) {
    let mut url = Url::parse(&world.database_url).expect("the world's own URL");
    let address = (url.host_str().expect("a host"), url.port().unwrap_or(5432));
    let target = address.to_socket_addrs().expect("an address").next().expect("at least one");
    let proxy = Proxy::start(target).await.expect("a free port");
    url.set_host(Some("127.0.0.1")).expect("a host");
    url.set_port(Some(proxy.address().port())).expect("a port");
    let mut settings = world.api_settings();
    settings.database.database_url = database_url(url.as_str()).expect("a good URL");
    (settings, proxy)
}

/// The kind of an answer's problem.
fn slug(answer: &Answer) -> &str {
    let kind = answer.json["type"].as_str().unwrap_or_default();
    kind.strip_prefix("urn:millrace:problem:").unwrap_or(kind)
}

fn job_id(answer: &Answer) -> Uuid {
    answer.json["job_id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .unwrap_or_else(|| panic!("no job: {:#}", answer.json))
}

/// Issues a key and gives back its id and itself.
async fn issued(caller: &Caller, client: &str, more: &Value) -> (Uuid, String) {
    let mut asked = json!({"client_id": client, "name": client, "scopes": ["jobs:*"]});
    asked.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    let answer = caller.post("auth.issue-api-key", &[("prefer", "wait=10")], &asked).await;
    assert_eq!(
        (answer.status, answer.json["status"].as_str()),
        (200, Some("succeeded")),
        "{:#}",
        answer.json
    );
    (job_id(&answer), answer.json["api_key"].as_str().expect("the key is shown").to_owned())
}
