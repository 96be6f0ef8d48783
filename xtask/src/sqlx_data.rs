//! `cargo xtask sqlx`: the description of every SQL query (`.sqlx/`), by which a build checks them without a database.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use clap::Args;
use millrace_stack::services::Services;
use serde_json::Value;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

use crate::backends::Backends;
use crate::cargo::{self, root};
use crate::error::Error;

/// Describe all SQL queries anew in .sqlx/, from a database with all migrations. To be run after a query or a
/// migration was changed; what it writes is committed.
#[derive(Debug, Args)]
pub struct Options {
    /// Change nothing; exit 1 if the committed description is not the current one
    #[arg(long)]
    check: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let differing = differences().await?;
    if options.check {
        return Ok(if differing.is_empty() { ExitCode::SUCCESS } else { explain(&differing) });
    }
    let committed = committed();
    fs::create_dir_all(&committed).map_err(Error::file(&committed))?;
    for name in read(&committed)?.into_keys() {
        fs::remove_file(committed.join(&name)).map_err(Error::file(name))?;
    }
    let current = read(&fresh())?;
    for name in current.keys() {
        fs::copy(fresh().join(name), committed.join(name)).map_err(Error::file(name))?;
    }
    println!("sqlx: {} queries described in .sqlx, {} changed", current.len(), differing.len());
    Ok(ExitCode::SUCCESS)
}

/// Says which queries are meant.
pub fn explain(differing: &[String]) -> ExitCode {
    println!("sqlx: .sqlx is not current; run `cargo xtask sqlx` and commit what it writes:");
    for query in differing {
        println!("  {query}");
    }
    ExitCode::FAILURE
}

/// Describes all queries into a folder of its own, and returns those that are described otherwise in `.sqlx`.
pub async fn differences() -> Result<Vec<String>, Error> {
    describe().await?;
    let (committed, current) = (read(&committed())?, read(&fresh())?);
    let names = committed.keys().chain(current.keys().filter(|name| !committed.contains_key(*name)));
    let differing = names.filter(|name| committed.get(*name) != current.get(*name));
    let first_line = |name: &String| {
        let query = current.get(name).or_else(|| committed.get(name)).and_then(|data| data["query"].as_str());
        let text: String = query.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let state = match (committed.contains_key(name), current.contains_key(name)) {
            (true, false) => "no longer used",
            (false, true) => "not yet described",
            _ => "described otherwise",
        };
        format!("{state}: {}", text.chars().take(100).collect::<String>())
    };
    Ok(differing.map(first_line).collect())
}

/// Runs a command that compiles, on a database that has all migrations: the queries of what it compiles are described in
/// `.sqlx`, beside those that are described there.
pub async fn describe_while(mut command: Command) -> Result<(), Error> {
    let services = Services::find_or_start()?;
    let backends = Backends::create(&services, "sqlx").await?;
    let ran = async {
        migrate(&backends).await.map_err(Error::Migration)?;
        command
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", committed())
            .env("DATABASE_URL", &backends.addresses.database_url);
        cargo::run_quietly(command)
    };
    let outcome = ran.await;
    backends.remove().await?;
    outcome.map(drop)
}

async fn describe() -> Result<(), Error> {
    let services = Services::find_or_start()?;
    let backends = Backends::create(&services, "sqlx").await?;
    let outcome = describe_in(&backends).await;
    backends.remove().await?;
    outcome
}

async fn describe_in(backends: &Backends) -> Result<(), Error> {
    migrate(backends).await.map_err(Error::Migration)?;
    let fresh = fresh();
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(Error::file(&fresh))?;
    }
    fs::create_dir_all(&fresh).map_err(Error::file(&fresh))?;
    // Queries are described while they are compiled, so that has to happen anew.
    for source in sources_with_queries(root())? {
        let touched =
            File::options().append(true).open(&source).and_then(|file| file.set_modified(SystemTime::now()));
        touched.map_err(Error::file(source))?;
    }
    let mut check = cargo::cargo(&["check", "--quiet", "--locked", "--workspace", "--all-targets"]);
    check
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &fresh)
        .env("DATABASE_URL", &backends.addresses.database_url);
    cargo::run(check)
}

/// Not by `ops migrate`: that cannot be built while its own queries are not described yet.
async fn migrate(backends: &Backends) -> Result<(), MigrateError> {
    let migrator = Migrator::new(root().join("migrations")).await?;
    let mut database = PgConnection::connect(&backends.addresses.database_url).await?;
    migrator.run(&mut database).await?;
    Ok(database.close().await?)
}

fn committed() -> PathBuf {
    root().join(".sqlx")
}

fn fresh() -> PathBuf {
    root().join("target/sqlx-data")
}

fn read(folder: &Path) -> Result<BTreeMap<String, Value>, Error> {
    let mut queries = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("query-") {
            let bytes = fs::read(entry.path()).map_err(Error::file(entry.path()))?;
            queries.insert(name, serde_json::from_slice(&bytes).unwrap_or_default());
        }
    }
    Ok(queries)
}

/// The `src` folders of the crates beside us, as far as they call sqlx's checking macros.
fn sources_with_queries(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for package in fs::read_dir(root).map_err(Error::file(root))?.flatten() {
        if package.path().join("Cargo.toml").is_file() {
            search(&package.path().join("src"), &mut found)?;
        }
    }
    Ok(found)
}

fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
            if ["query_file", "query!(", "query_as!(", "query_scalar!("]
                .iter()
                .any(|call| text.contains(call))
            {
                found.push(path);
            }
        }
    }
    Ok(())
}
