//! A user of the browser: presses keys, reads the page, and sees the console and the requests.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fantoccini::Client;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use millrace_testkit::world::PATIENCE;
use reqwest::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

const PAUSE: Duration = Duration::from_millis(20);
/// More than the page has focusable elements.
const TABS_MAX: usize = 40;

/// A WebDriver command that only chromedriver knows.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// The colour scheme and the window's size in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub scheme: &'static str,
    pub width: u32,
    pub height: u32,
}

pub struct Reader {
    client: Client,
    screenshots: PathBuf,
}

impl Reader {
    pub fn new(client: Client, screenshots: PathBuf) -> Self {
        Self { client, screenshots }
    }

    /// Opens a page as in a new tab, without what an earlier one has stored.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("the browser goes there");
        self.run("sessionStorage.clear()").await;
        self.client.refresh().await.expect("the browser loads it again");
    }

    /// Presses one key and lets it go.
    pub async fn press(&self, key: char) {
        let keys = KeyActions::new("keyboard".to_owned());
        let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.expect("the browser has a keyboard");
    }

    pub async fn write(&self, text: &str) {
        for key in text.chars() {
            self.press(key).await;
        }
    }

    /// Presses Tab until the focus is on an element that this selector matches, and checks that the focus is visible.
    pub async fn tab_to(&self, selector: &str) {
        let there = format!("return document.activeElement.matches({})", json!(selector));
        for _ in 0..TABS_MAX {
            self.press(Key::Tab.into()).await;
            if self.run(&there).await == json!(true) {
                let outline = self.run("return getComputedStyle(document.activeElement).outlineStyle").await;
                assert_eq!(outline, json!("solid"), "the focus on {selector} is visible");
                return;
            }
        }
        panic!("no key leads to {selector}");
    }

    /// Runs a script and returns its value.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Runs a script that passes its value to a callback, its last argument.
    pub async fn run_later(&self, script: &str) -> Value {
        self.client.execute_async(script, Vec::new()).await.expect("the script comes to its end")
    }

    /// The text of every element that this selector matches.
    pub async fn texts(&self, selector: &str) -> Vec<String> {
        let all = format!(
            "return [...document.querySelectorAll({})].filter(e => e.checkVisibility()).map(e => e.textContent.trim())",
            json!(selector)
        );
        serde_json::from_value(self.run(&all).await).expect("texts")
    }

    /// Waits until the visible text of this selector's elements is as wanted, and returns it.
    pub async fn until(&self, selector: &str, wanted: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let text = self.texts(selector).await.join("\n");
            if wanted(&text) {
                return text;
            }
            if started.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText").await;
                panic!("waited {PATIENCE:?}, and {selector} says {text:?} on this page:\n{page:#}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sets colour scheme and window size, and asks the page for no animations.
    pub async fn look(&self, Look { scheme, width, height }: Look) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.chromium("Emulation.setEmulatedMedia", json!({"features": features})).await;
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.chromium("Emulation.setDeviceMetricsOverride", screen).await;
    }

    pub async fn screenshot(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture of the window");
        std::fs::create_dir_all(&self.screenshots).expect("a folder for screenshots");
        std::fs::write(self.screenshots.join(name), picture).expect("the picture is kept");
    }

    /// Switches the browser's network off or on.
    pub async fn network(&self, there: bool) {
        self.chromium("Network.enable", json!({})).await;
        let conditions =
            json!({"offline": !there, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.chromium("Network.emulateNetworkConditions", conditions).await;
    }

    async fn chromium(&self, command: &str, params: Value) {
        let body = json!({"cmd": command, "params": params});
        let own = Own { path: "goog/cdp/execute", body };
        self.client.issue_cmd(own).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    }

    /// The console's lines since the last call.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Every request, with `url` and `headers`, that pages of this origin have sent since the last call.
    pub async fn requests(&self, origin: &str) -> Vec<Value> {
        let entries = self.log("performance").await;
        let messages = entries.iter().filter_map(|entry| entry["message"].as_str());
        let events = messages.filter_map(|message| serde_json::from_str::<Value>(message).ok());
        let requests = events.filter(|event| event["message"]["method"] == "Network.requestWillBeSent");
        requests
            .map(|event| event["message"]["params"].clone())
            .filter(|request| request["documentURL"].as_str().is_some_and(|page| page.starts_with(origin)))
            .map(|request| request["request"].clone())
            .collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let own = Own { path: "se/log", body: json!({"type": kind}) };
        let entries = self.client.issue_cmd(own).await.expect("the driver keeps a log");
        entries.as_array().cloned().unwrap_or_default()
    }
}
