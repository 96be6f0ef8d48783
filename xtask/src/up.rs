//! `cargo xtask up`: all of Millrace in the foreground, until Ctrl-C.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_stack::services::Services;
use millrace_stack::stack::program::Log;
use url::Url;

use crate::cargo;
use crate::place::Place;
use crate::signals::asked_to_stop;
use crate::stack::{DoorSettings, Stack};
use crate::trouble::Trouble;

const LOOK_PAUSE: Duration = Duration::from_millis(250);
/// A program that ends at once, again and again, should not fill the screen.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Start everything and keep it running: RabbitMQ and PostgreSQL if need be, the door, four workers.
///
/// Writes the addresses to target/up.env. The door listens where API_LISTEN says (default 127.0.0.1:8080, or a free
/// port if that one is taken); DEV_API_KEY and JOB_ID_SECRET are taken from the environment or made anew. A program
/// that ends is started again. Ctrl-C or SIGTERM stops all of it.
#[derive(Debug, Args)]
pub struct Options {
    /// Build with optimizations
    #[arg(long)]
    release: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Trouble> {
    let programs = cargo::build_programs(options.release)?;
    let services = Services::find_or_start()?;
    let place = Place::given(&services);
    let mut stack = tokio::select! {
        started = Stack::start(&programs, &place, door_settings()?, Log::Prefixed) => started?,
        // Nothing has begun to work yet that would have to be finished; dropping it all is enough.
        () = asked_to_stop() => return Ok(ExitCode::SUCCESS),
    };
    let environment = write_environment(&stack, &place)?;
    // The addresses in it are soon nobody's.
    stack.remove_at_end(&environment)?;
    println!("{}", welcome(&stack, &place, &environment));

    let watched = tokio::select! {
        trouble = watch(&mut stack) => trouble.map(|never| match never {}),
        () = asked_to_stop() => Ok(()),
    };
    println!("up: stopping");
    for name in tokio::task::block_in_place(|| stack.stop()) {
        println!("up: {name} did not stop in time and was killed");
    }
    watched.map(|()| ExitCode::SUCCESS)
}

async fn watch(stack: &mut Stack) -> Result<std::convert::Infallible, Trouble> {
    loop {
        for (name, status) in stack.revive()? {
            println!("up: {name} ended ({status}); it has been started again");
            tokio::time::sleep(RESTART_PAUSE).await;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

fn door_settings() -> Result<DoorSettings, Trouble> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut settings = DoorSettings::new()?;
    if let Some(listen) = variable("API_LISTEN") {
        settings.listen = listen;
    } else if TcpListener::bind("127.0.0.1:8080").is_ok() {
        settings.listen = "127.0.0.1:8080".to_owned();
    }
    settings.api_key = variable("DEV_API_KEY").unwrap_or(settings.api_key);
    settings.job_id_secret = variable("JOB_ID_SECRET").unwrap_or(settings.job_id_secret);
    Ok(settings)
}

/// For a shell to read with `set -a; . target/up.env`, and for tools.
fn write_environment(stack: &Stack, place: &Place) -> Result<PathBuf, Trouble> {
    let path = cargo::folder_of_runs()?.join("up.env");
    let lines = [
        ("API_URL", &stack.door.url),
        ("API_KEY", &stack.door.api_key),
        ("AMQP_URL", &place.amqp_url),
        ("AMQP_MANAGEMENT_URL", &place.management_url),
        ("DATABASE_URL", &place.database_url),
    ];
    let text: String = lines.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
    fs::write(&path, text).map_err(Trouble::file(&path))?;
    Ok(path)
}

fn welcome(stack: &Stack, place: &Place, environment: &Path) -> String {
    let (door, key) = (&stack.door.url, &stack.door.api_key);
    let (console, user, password) = console(&place.management_url);
    format!(
        "\n\
         up: all is ready; Ctrl-C stops it\n\
         up:   door      {door}   (Authorization: Bearer {key})\n\
         up:   console   {console}   (RabbitMQ; user {user}, password {password})\n\
         up:   database  {}\n\
         up:   all of it in {}\n\
         up: try\n\
         up:   curl -i {door}/v1/jobs/users.register -H 'Authorization: Bearer {key}' \\\n\
         up:     -H 'Content-Type: application/json' -d '{{\"email\":\"ada@example.com\",\"name\":\"Ada\"}}'\n",
        place.database_url,
        environment.display(),
    )
}

fn console(management_url: &str) -> (String, String, String) {
    let Ok(mut url) = Url::parse(management_url) else {
        return (management_url.to_owned(), String::new(), String::new());
    };
    let (user, password) = (url.username().to_owned(), url.password().unwrap_or_default().to_owned());
    // Refused only for URLs that cannot have a login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url.to_string(), user, password)
}
