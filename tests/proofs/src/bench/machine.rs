//! What it was measured on: the machine, the versions, and the settings that durability and speed depend on.

use std::fs;
use std::process::Command;
use std::thread;

use sqlx::Row;

use crate::bench::stack::{Bench, Ledger};
use crate::error::Error;

const SETTINGS: [&str; 6] =
    ["fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers", "max_wal_size"];

/// A name and a value.
pub type Fact = (&'static str, String);

pub async fn facts(bench: &Bench) -> Result<Vec<Fact>, Error> {
    let [cpu, memory] = [("/proc/cpuinfo", "model name"), ("/proc/meminfo", "MemTotal")]
        .map(|(file, name)| field(file, name, ':'));
    let cores = thread::available_parallelism()?;
    let mut facts = vec![
        ("processor", format!("{cpu}, {cores} cores for load tool, programs and servers together")),
        ("memory", memory),
        ("system", format!("{}, Linux {}", field("/etc/os-release", "PRETTY_NAME", '='), kernel())),
        ("servers", bench.servers.versions().to_owned()),
        ("broker", "quorum queues, one node, publisher confirms, persistent messages".to_owned()),
        ("compiler", output("rustc", &["--version"])),
        ("commit", output("git", &["describe", "--always", "--dirty"])),
    ];
    let mut session = bench.session(Ledger::Empty).await?;
    for setting in SETTINGS {
        let row =
            sqlx::query("SELECT current_setting($1) AS value").bind(setting).fetch_one(&mut session).await?;
        facts.push((setting, row.try_get("value")?));
    }
    Ok(facts)
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// The field of a file that names its fields.
fn field(file: &str, name: &str, separator: char) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_once(separator).map_or("unknown", |(_, value)| value.trim().trim_matches('"')).to_owned()
}

/// The standard output of a program.
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or("unknown".to_owned(), |it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
}
