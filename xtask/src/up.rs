//! `cargo xtask up`: all of Millrace in the foreground, until Ctrl-C.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_stack::services::Services;
use millrace_stack::stack::Secrets;
use millrace_stack::stack::program::Log;
use url::Url;

use crate::backends::Backends;
use crate::cargo;
use crate::error::Error;
use crate::signals::asked_to_stop;
use crate::stack::{ApiSettings, Stack};

/// Where the API listens if nobody says otherwise and the port is free.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// A program that ends at once, again and again, should not fill the screen.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Start everything and keep it running: RabbitMQ and PostgreSQL if need be, the API, and a worker for each domain.
///
/// Writes the addresses to target/up.env. The API listens where API_LISTEN says (default 127.0.0.1:8080, or a free
/// port if that one is taken); DEV_API_KEY and JOB_ID_SECRET are taken from the environment or made anew. A program
/// that ends is started again. Ctrl-C or SIGTERM stops all of it.
#[derive(Debug, Args)]
pub struct Options {
    /// Build with optimizations
    #[arg(long)]
    release: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let programs = cargo::build_programs(options.release)?;
    let services = Services::find_or_start()?;
    let backends = Backends::existing(&services);
    let stack = tokio::select! {
        started = Stack::start(&programs, &backends, api_settings()?, Log::Prefixed) => started?,
        // No program has begun any work; dropping everything is enough.
        () = asked_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    let environment = write_environment(&stack, &backends)?;
    // Its addresses are useless once the servers have stopped.
    stack.remove_at_end(&environment)?;
    println!("{}", welcome(&stack, &backends, &environment));

    let watched = tokio::select! {
        watched = watch(&stack) => watched.map(|never| match never {}),
        () = asked_to_stop() => Ok(()),
    };
    println!("up: stopping");
    for name in stack.stop().await {
        println!("up: {name} did not stop in time and was killed");
    }
    watched.map(|()| ExitCode::SUCCESS)
}

async fn watch(stack: &Stack) -> Result<std::convert::Infallible, Error> {
    loop {
        for (name, status) in stack.revive().await? {
            println!("up: {name} ended ({status}); it has been started again");
            tokio::time::sleep(RESTART_PAUSE).await;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

fn api_settings() -> Result<ApiSettings, Error> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut settings = ApiSettings::random()?;
    if let Some(listen) = variable("API_LISTEN") {
        settings.listen = listen.parse().map_err(|_| Error::BadSetting {
            variable: "API_LISTEN",
            reason: "not ADDRESS:PORT".to_owned(),
        })?;
    } else if TcpListener::bind(USUAL_ADDRESS).is_ok() {
        settings.listen = USUAL_ADDRESS;
    }
    let Secrets { api_key, job_id_secret } = settings.secrets;
    settings.secrets = Secrets {
        api_key: variable("DEV_API_KEY").unwrap_or(api_key),
        job_id_secret: variable("JOB_ID_SECRET").unwrap_or(job_id_secret),
    };
    Ok(settings)
}

/// For a shell to read with `set -a; . target/up.env`, and for tools.
fn write_environment(stack: &Stack, backends: &Backends) -> Result<PathBuf, Error> {
    let path = cargo::folder_of_runs()?.join("up.env");
    let lines = [
        ("API_URL", &stack.api.url),
        ("API_KEY", &stack.api.api_key),
        ("AMQP_URL", &backends.addresses.amqp_url),
        ("AMQP_MANAGEMENT_URL", &backends.addresses.management_url),
        ("DATABASE_URL", &backends.addresses.database_url),
    ];
    let text: String = lines.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
    fs::write(&path, text).map_err(Error::file(&path))?;
    Ok(path)
}

fn welcome(stack: &Stack, backends: &Backends, environment: &Path) -> String {
    let (api, key) = (&stack.api.url, &stack.api.api_key);
    let (console, user, password) = console(&backends.addresses.management_url);
    format!(
        "\n\
         up: all is ready; Ctrl-C stops it\n\
         up:   API        {api}   (Authorization: Bearer {key})\n\
         up:   documents  {api}/docs to read and to try, {api}/openapi.json for tools\n\
         up:   job page   {api}/jobs/JOB_ID, with the id that the API answers\n\
         up:   console    {console}   (RabbitMQ; user {user}, password {password})\n\
         up:   database   {}\n\
         up:   all of it in {}\n\
         up: try\n\
         up:   curl -i {api}/v1/jobs/users.register -H 'Authorization: Bearer {key}' \\\n\
         up:     -H 'Content-Type: application/json' -d '{{\"email\":\"ada@example.com\",\"name\":\"Ada\"}}'\n",
        backends.addresses.database_url,
        environment.display(),
    )
}

fn console(management_url: &str) -> (String, String, String) {
    let Ok(mut url) = Url::parse(management_url) else {
        return (management_url.to_owned(), String::new(), String::new());
    };
    let (user, password) = (url.username().to_owned(), url.password().unwrap_or_default().to_owned());
    // Fails only for URLs that cannot have a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url.to_string(), user, password)
}
