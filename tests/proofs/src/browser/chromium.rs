//! Chromium and its driver: found or installed, started for this run, and ended with it.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::services::{install, ports};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::error::Error;

/// Debian's packages, and the programs in them.
const PACKAGES: [&str; 2] = ["chromium", "chromium-driver"];
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const START_DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
/// Headless, without any traffic but what the page causes.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    pub client: Client,
    pub version: String,
    // Ends the driver, and whatever the driver started, before their folder goes.
    _watchdog: Watchdog,
    _profile: TempDir,
}

impl Browser {
    pub async fn start() -> Result<Self, Error> {
        let [chromium, driver] = found_or_installed()?;
        let (watchdog, profile) = (Watchdog::start()?, tempfile::tempdir()?);
        watchdog.remove(profile.path())?;
        let [port] = ports::free()?;
        let mut command = Command::new(driver);
        command
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        watchdog.spawn(&mut command)?;
        let flags = FLAGS.map(str::to_owned).into_iter();
        let flags = flags.chain([format!("--user-data-dir={}", profile.path().display())]);
        let wanted = json!({
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": flags.collect::<Vec<_>>()},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let client = session(&format!("http://127.0.0.1:{port}"), &wanted).await?;
        let version = client.capabilities().and_then(|all| all.get("browserVersion")).and_then(Value::as_str);
        let version = format!("Chromium {}", version.unwrap_or("of an unknown version"));
        Ok(Self { client, version, _watchdog: watchdog, _profile: profile })
    }

    pub async fn close(self) {
        if let Err(error) = self.client.close().await {
            eprintln!("browser: closing it: {error}");
        }
    }
}

fn found_or_installed() -> Result<[PathBuf; 2], Error> {
    if let Some(programs) = found() {
        return Ok(programs);
    }
    if !install::possible() {
        return Err(not_found());
    }
    install::install(&PACKAGES)?;
    found().ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::new(
        "looking for chromium and chromedriver",
        "install both (on Debian: the packages chromium and chromium-driver)",
    )
}

fn found() -> Option<[PathBuf; 2]> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let find = |name| folders.iter().map(|folder| folder.join(name)).find(|program| program.is_file());
    let [chromium, driver] = PROGRAMS.map(find);
    Some([chromium?, driver?])
}

/// Waits until the driver listens, then opens a session.
async fn session(url: &str, wanted: &Value) -> Result<Client, Error> {
    let started = Instant::now();
    let capabilities = wanted.as_object().cloned().unwrap_or_default();
    loop {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        match builder.capabilities(capabilities.clone()).connect(url).await {
            Ok(client) => return Ok(client),
            Err(error) if started.elapsed() > START_DEADLINE => {
                return Err(Error::new("starting a session of chromedriver", error));
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
