//! Finding the servers' programs on this machine.

use std::fmt;
use std::path::{Path, PathBuf};

/// The programs of both servers.
#[derive(Debug)]
pub(super) struct Programs {
    /// The real start script, not a distribution's wrapper that changes the user.
    pub rabbitmq_server: PathBuf,
    /// Erlang's port mapper. RabbitMQ starts one itself when it is not found here.
    pub epmd: Option<PathBuf>,
    /// Where `initdb` and `postgres` are, of the newest version found.
    pub postgres_bin: PathBuf,
}

/// Which of them are not there.
#[derive(Debug)]
pub struct Missing {
    rabbitmq: bool,
    postgres: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match (self.rabbitmq, self.postgres) {
            (true, true) => "neither `rabbitmq-server` nor `postgres` was",
            (true, false) => "`rabbitmq-server` was not",
            (false, _) => "`postgres` (with `initdb` beside it) was not",
        })
    }
}

pub(super) fn find() -> Result<Programs, Missing> {
    match (rabbitmq_server(), postgres_bin()) {
        (Some(rabbitmq_server), Some(postgres_bin)) => {
            Ok(Programs { rabbitmq_server, epmd: epmd(), postgres_bin })
        }
        (rabbitmq, postgres) => Err(Missing { rabbitmq: rabbitmq.is_none(), postgres: postgres.is_none() }),
    }
}

fn rabbitmq_server() -> Option<PathBuf> {
    // Packages put a wrapper on the PATH that switches to the user `rabbitmq`, whom our directory does not belong to.
    let packaged = PathBuf::from("/usr/lib/rabbitmq/bin/rabbitmq-server");
    std::iter::once(packaged).chain(on_path("rabbitmq-server")).find(|program| program.is_file())
}

fn postgres_bin() -> Option<PathBuf> {
    let packaged = newest_first("/usr/lib/postgresql", "bin").into_iter();
    let found =
        on_path("postgres").filter_map(|program| program.canonicalize().ok()?.parent().map(Path::to_owned));
    packaged.chain(found).find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

fn epmd() -> Option<PathBuf> {
    let within_erlang = newest_first("/usr/lib/erlang", "bin/epmd");
    on_path("epmd").chain(within_erlang).find(|program| program.is_file())
}

fn on_path(program: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let program = program.to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]).collect();
    folders.into_iter().map(move |folder| folder.join(&program))
}

/// `<folder>/<version>/<inside>` for each version in the folder, by the number in its name: 9.6, 15, erts-13.1.5.
fn newest_first(folder: &str, inside: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number =
                name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
            (number, entry.path().join(inside))
        })
        .collect();
    versions.sort_by(|a, b| b.0.cmp(&a.0));
    versions.into_iter().map(|(_, path)| path).collect()
}
