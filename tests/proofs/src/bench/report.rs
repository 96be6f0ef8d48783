//! docs/performance.md and its plot, written from what was measured.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use millrace_contracts::catalog;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::bench::goals::{self, Reached};
use crate::bench::machine::Fact;
use crate::bench::plot;
use crate::bench::results::Results;
use crate::error::Error;

const DOCUMENT: &str = "performance.md";
const PLOT: &str = "performance.svg";

/// Stands for a row per domain; `@` in the row's label is the domain.
const EACH_DOMAIN: &str = "@";

/// Names in rows and columns; a name's `{}` is the row's.
struct Table {
    title: &'static str,
    about: &'static str,
    rows: &'static [(&'static str, &'static str)],
    columns: &'static [(&'static str, &'static str)],
}

const TABLES: [Table; 7] = [
    Table {
        title: "What broker and database do by themselves",
        about: "One channel, a quorum queue, persistent messages with confirms; transactions with all of their durability.",
        rows: &[
            ("bare.publish", "confirmed publishes, awaited one after the other, 512 unconfirmed"),
            ("bare.publish pipelined", "the same, many written at once"),
            ("bare.publish 64", "pipelined, through the exchange `commands`, 64 unconfirmed"),
            ("bare.consume", "deliveries, acknowledged by 256"),
            ("bare.rows", "rows of an order's size by batches of 256, two sessions"),
            ("bare.commits 2", "rows one by one, each its own transaction, two sessions"),
            ("bare.commits 16", "the same from sixteen sessions"),
        ],
        columns: &[("a second", "{}")],
    },
    Table {
        title: "The API",
        about: "`POST /v1/jobs/orders.place` by wrk, each answered 202 once the broker has confirmed it; times in milliseconds. \
                The last row is one request with a job a line.",
        rows: &[
            ("1", "1 connection"),
            ("16", "16 connections"),
            ("64", "64 connections"),
            ("256", "256 connections"),
            ("batch", "NDJSON"),
        ],
        columns: &[
            ("jobs a second", "api.{}.rate"),
            ("p50", "api.{}.p50"),
            ("p99", "api.{}.p99"),
            ("p99.9", "api.{}.p999"),
        ],
    },
    Table {
        title: "Workers",
        about: "Orders that wait in the queue, each with its row in the ledger, its order, a confirmed follow-up and its \
                acknowledgement.",
        rows: &[
            ("worker", "one process, the ledger empty at first"),
            ("worker grown", "one process, a large ledger"),
            ("worker 2", "two processes"),
            ("worker 4", "four processes"),
        ],
        columns: &[("jobs a second", "{}")],
    },
    Table {
        title: "The whole flow",
        about: "place → placed → charge → captured → confirmed: posted in one request, over when the last order is confirmed.",
        rows: &[("flow.orders", "orders"), ("flow.messages", "messages handled, four for an order")],
        columns: &[("a second", "{}")],
    },
    Table {
        title: "From the post",
        about: "Orders at a fixed rate, whether or not earlier ones are answered; milliseconds from when an order was due. The \
                commit's moment is the database's own. In the last row clients ask for the outcome (`Prefer: wait`).",
        rows: &[
            ("50", "50/s"),
            ("half", "half of what the whole flow does at most"),
            ("waited", "50/s, waiting"),
        ],
        columns: &[
            ("to 202, p50", "latency.{}.accepted.p50"),
            ("p99", "latency.{}.accepted.p99"),
            ("to the outcome, p50", "latency.{}.outcome.p50"),
            ("p99", "latency.{}.outcome.p99"),
            ("to the commit, p50", "latency.{}.committed.p50"),
            ("p99", "latency.{}.committed.p99"),
        ],
    },
    Table {
        title: "What it costs",
        about: "CPU seconds for a thousand orders, memory (RSS), time from start to ready, and size on disk.",
        rows: &[
            ("producer-api", "API"),
            (EACH_DOMAIN, "worker of @"),
            ("ops", "ops"),
            ("rabbitmq", "RabbitMQ"),
            ("postgres", "PostgreSQL"),
        ],
        columns: &[
            ("CPU s, whole flow", "flow.cpu.{}"),
            ("CPU s, worker alone", "worker.cpu.{}"),
            ("MiB at rest", "idle.rss.{}"),
            ("MiB under load", "flow.rss.{}"),
            ("ms to ready", "start.{}"),
            ("MiB on disk", "size.{}"),
        ],
    },
    Table {
        title: "What the database writes",
        about: "Bytes of write-ahead log for one order.",
        rows: &[("worker.wal", "placed by orders' worker"), ("flow.wal", "through the whole flow")],
        columns: &[("bytes", "{}")],
    },
];

/// Writes both files into this folder.
pub fn write(folder: &Path, results: &Results, facts: &[Fact]) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))?;
    for (name, text) in [(PLOT, plot::draw(results)), (DOCUMENT, document(results, facts))] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::file(path))?;
    }
    println!("bench: written to {}", folder.join(DOCUMENT).display());
    Ok(())
}

fn document(results: &Results, facts: &[Fact]) -> String {
    let day =
        OffsetDateTime::now_utc().format(format_description!("[year]-[month]-[day]")).unwrap_or_default();
    let rounds = results.rounds();
    let mut text = format!(
        "# Performance\n\n\
         Written by `cargo xtask bench` on {day}; do not edit. Each figure is the median of {rounds} rounds, with the lowest and \
         the highest in brackets. In each round the bare broker and the bare database are measured beside Millrace, on the same \
         machine, with the same durability: the ratios are what can be compared with other machines. What the figures mean for \
         larger loads is in [scale.md](scale.md).\n\n\
         ![What was measured, as bars]({PLOT})\n\n\
         ## Goals\n\n\
         | goal | asked | measured | |\n|---|---:|---:|---|\n"
    );
    for Reached { what, asked, measured, verdict } in goals::reached(results) {
        line(&mut text, &[what.to_owned(), asked, measured.to_string(), verdict]);
    }
    for each in &TABLES {
        text += &table(each, results);
    }
    text += "\n## Machine, versions, settings\n\n| | |\n|---|---|\n";
    for (name, value) in facts {
        line(&mut text, &[(*name).to_owned(), value.clone()]);
    }
    text
}

/// A table as Markdown; rows and columns without a value are left out.
fn table(Table { title, about, rows, columns }: &Table, results: &Results) -> String {
    let rows = with_domains(rows);
    let value = |row: &str, name: &str| results.spread(&name.replace("{}", row));
    let columns: Vec<_> =
        columns.iter().filter(|(_, name)| rows.iter().any(|(row, _)| value(row, name).is_some())).collect();
    if columns.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {title}\n\n{about}\n\n|");
    for (heading, _) in &columns {
        let _ = write!(text, " | {heading}");
    }
    text += &format!(" |\n|---|{}\n", "---:|".repeat(columns.len()));
    for (row, label) in rows {
        let values = columns.iter().map(|(_, name)| value(&row, name));
        if values.clone().any(|value| value.is_some()) {
            let shown = values.map(|value| value.map(|it| it.to_string()).unwrap_or_default());
            line(&mut text, &[vec![label], shown.collect()].concat());
        }
    }
    text
}

fn with_domains(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, label) in rows {
        if *name == EACH_DOMAIN {
            let domains = catalog().domains().iter().map(|domain| domain.as_str());
            all.extend(domains.map(|domain| (domain.to_owned(), label.replace(EACH_DOMAIN, domain))));
        } else {
            all.push(((*name).to_owned(), (*label).to_owned()));
        }
    }
    all
}

fn line(text: &mut String, cells: &[String]) {
    *text += &format!("| {} |\n", cells.join(" | "));
}
