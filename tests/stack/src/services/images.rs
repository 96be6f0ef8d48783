//! The supported pairs of RabbitMQ and PostgreSQL, as images that are built from Debian's packages.

use std::io::Error;
use std::path::Path;
use std::process::Command;

/// What one Debian release brings.
#[derive(Debug)]
pub struct Images {
    /// Of RabbitMQ.
    pub version: &'static str,
    release: &'static str,
    pub rabbitmq: &'static str,
    pub postgres: &'static str,
}

/// All that are supported, from the oldest to the newest.
pub static SUPPORTED: [Images; 3] = [
    Images {
        version: "3.10",
        release: "bookworm",
        rabbitmq: "millrace-rabbitmq:3.10",
        postgres: "millrace-postgres:15",
    },
    Images {
        version: "4.0",
        release: "trixie",
        rabbitmq: "millrace-rabbitmq:4.0",
        postgres: "millrace-postgres:17",
    },
    Images {
        version: "4.3",
        release: "forky",
        rabbitmq: "millrace-rabbitmq:4.3",
        postgres: "millrace-postgres:18",
    },
];

impl Images {
    /// The pair with this version of RabbitMQ, or an error that names the known versions.
    pub fn of(version: &str) -> Result<&'static Self, String> {
        let known = || SUPPORTED.iter().map(|images| images.version).collect::<Vec<_>>().join(", ");
        SUPPORTED
            .iter()
            .find(|images| images.version == version)
            .ok_or_else(|| format!("expected one of {}", known()))
    }

    /// Builds both. Images that were built from the same sources stay as they are.
    pub fn build(&self) -> Result<(), Error> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = Command::new("deploy/images/build").arg(self.release).current_dir(root).output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Error::other(format!("{}:\n{}", output.status, String::from_utf8_lossy(&said))))
    }
}
