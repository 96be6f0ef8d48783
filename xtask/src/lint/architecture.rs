//! Which crates may depend on which: the arrows of the architecture, as far as the dependency tree shows them.

use std::collections::BTreeSet;

use super::Outcome;
use crate::cargo::{cargo, run_quietly};
use crate::error::Error;

/// A crate, and what it must not depend on, directly or indirectly.
struct Rule {
    package: &'static str,
    without: &'static [&'static str],
    because: &'static str,
}

const RULES: [Rule; 8] = [
    Rule {
        package: "millrace-protocol",
        without: &[
            "tokio",
            "lapin",
            "sqlx",
            "axum",
            "reqwest",
            "millrace-contracts",
            "millrace-broker",
            "millrace-service",
        ],
        because: "the protocol does no input and output, and knows no domain",
    },
    Rule {
        package: "millrace-contracts",
        without: &[
            "tokio",
            "lapin",
            "sqlx",
            "axum",
            "reqwest",
            "millrace-broker",
            "millrace-service",
            "millrace-runtime",
        ],
        because: "messages do no input and output, and know no program that exchanges them",
    },
    Rule {
        package: "millrace-broker",
        without: &["sqlx", "axum", "millrace-contracts", "millrace-service", "millrace-runtime"],
        because: "the broker's client knows the protocol and RabbitMQ, and no domain",
    },
    Rule {
        package: "millrace-service",
        without: &[
            "lapin",
            "sqlx",
            "millrace-protocol",
            "millrace-contracts",
            "millrace-broker",
            "millrace-runtime",
        ],
        because: "what every process shares knows neither broker, database nor business",
    },
    Rule {
        package: "millrace-runtime",
        without: &["millrace-contracts", "millrace-workers", "producer-api", "millrace-ops"],
        because: "the runtime works for any domain and any outside system",
    },
    Rule {
        package: "millrace-workers",
        without: &["producer-api", "millrace-ops"],
        because: "workers know neither the API nor the operator's toolbox",
    },
    Rule {
        package: "producer-api",
        without: &["millrace-runtime", "millrace-workers", "millrace-ops"],
        because: "the API has no business rules; it exchanges messages with workers, and nothing else",
    },
    Rule {
        package: "millrace-ops",
        without: &["millrace-runtime", "millrace-workers", "producer-api"],
        because: "the toolbox looks from outside, at the broker and the ledger",
    },
];

pub fn check() -> Result<Outcome, Error> {
    let mut violations = Vec::new();
    for Rule { package, without, because } in RULES {
        let below = dependencies(package)?;
        violations.extend(
            without
                .iter()
                .filter(|name| below.contains(**name))
                .map(|name| format!("{package} depends on {name}, but {because}")),
        );
    }
    for violation in &violations {
        println!("{violation}; `cargo tree --invert` shows the way");
    }
    Ok(match violations.len() {
        0 => Outcome::Passed,
        count => Outcome::Failed(format!("{count} arrow(s) in the wrong direction")),
    })
}

/// The names of everything that is compiled into a package, its own included.
fn dependencies(package: &str) -> Result<BTreeSet<String>, Error> {
    let mut tree = cargo(&["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    tree.args(["--package", package]);
    let text = run_quietly(tree)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}
