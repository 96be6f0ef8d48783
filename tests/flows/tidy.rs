//! The rules of the repository, checked on the sources themselves. Each says what to do instead.

mod circles;
mod documents;

use std::fs;
use std::path::{Path, PathBuf};

use millrace_contracts::catalog;

fn domains() -> Vec<&'static str> {
    catalog().domains().iter().map(|domain| domain.as_str()).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/flows lies in the project")
        .to_owned()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources(&root(), &mut found);
    assert!(found.len() > 50, "the sources are found");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        (name, fs::read_to_string(path).expect("a source"))
    };
    found.into_iter().map(read).collect()
}

fn assert_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}\n  {}", broken.join("\n  "));
}

/// The code of a file, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert_none("Begin each file with one `//!` sentence that says what it is.", &silent);
}

#[test]
fn rules_are_pure() {
    const IMPURE: [&str; 9] =
        ["sqlx", "lapin", "tokio", "async ", ".await", "now_utc", "Instant::", "now_v7", "rand"];
    let mut broken = Vec::new();
    for (name, text) in all_sources() {
        if !name.ends_with("/rules.rs")
            && !["runtime/src/domain.rs", "runtime/src/rows.rs"].contains(&name.as_str())
        {
            continue;
        }
        for line in code(&text) {
            if let Some(word) = IMPURE.iter().find(|word| line.contains(**word)) {
                broken.push(format!("{name}: `{word}` in: {}", line.trim()));
            }
        }
    }
    assert_none(
        "Rules do no IO, know no time and draw no random ids: declare what the rule needs and take it as an argument.",
        &broken,
    );
}

#[test]
fn a_domain_names_no_other_domain() {
    let (domains, mut broken) = (domains(), Vec::new());
    for (name, text) in all_sources() {
        let Some(own) = domains.iter().find(|domain| name.starts_with(&format!("workers/src/{domain}/")))
        else {
            continue;
        };
        for line in code(&text) {
            for other in domains.iter().filter(|domain| *domain != own) {
                if line.contains(&format!("crate::{other}::")) || line.contains(&format!("crate::{other};")) {
                    broken.push(format!("{name}: {}", line.trim()));
                }
            }
        }
    }
    assert_none("Domains exchange messages and nothing else: add an event to contracts instead.", &broken);
}

#[test]
fn every_domain_has_the_same_files() {
    let mut missing = Vec::new();
    for domain in domains() {
        for file in ["mod.rs", "rules.rs", "store.rs", "tests.rs"] {
            let path = format!("workers/src/{domain}/{file}");
            if !root().join(&path).exists() {
                missing.push(path);
            }
        }
        if !root().join(format!("workers/src/bin/{domain}-worker.rs")).exists() {
            missing.push(format!("workers/src/bin/{domain}-worker.rs"));
        }
    }
    assert_none("Who knows one domain knows all: give each the same files.", &missing);
}

/// Names every domain within a few lines, as a list does.
fn lists_the_domains(text: &str) -> bool {
    let (domains, lines) = (domains(), code(text).collect::<Vec<_>>());
    let names = |line: &str, domain: &str| {
        let forms = [
            format!("\"{domain}\""),
            format!("{domain}-worker"),
            format!("{domain}::"),
            format!("mod {domain};"),
        ];
        forms.iter().any(|form| line.contains(form.as_str()))
    };
    lines
        .windows(domains.len().max(8).min(lines.len().max(1)))
        .any(|window| domains.iter().all(|domain| window.iter().any(|line| names(line, domain))))
}

#[test]
fn the_domains_are_listed_once_in_each_crate_that_has_them() {
    const LISTS: [&str; 3] = ["contracts/src/lib.rs", "contracts/src/system.rs", "workers/src/lib.rs"];
    let second = all_sources()
        .into_iter()
        .filter(|(name, text)| !LISTS.contains(&name.as_str()) && lists_the_domains(text));
    let second: Vec<_> = second.map(|(name, _)| name).collect();
    assert_none(
        "A second list of domains is forgotten by the next one: use `catalog().domains()` or `visit_domains`.",
        &second,
    );
    let list: String = domains().iter().map(|domain| format!("\"{domain}\",\n")).collect();
    assert!(lists_the_domains(&list), "a list is recognised");
}

#[test]
fn public_names_are_the_field_s() {
    const PRIVATE: [&str; 27] = [
        "door",
        "desk",
        "plant",
        "culprit",
        "twin",
        "rung",
        "ladder",
        "probation",
        "suspect",
        "suspects",
        "hears",
        "heard",
        "unheard",
        "deaf",
        "mailbox",
        "rig",
        "arena",
        "yard",
        "cast",
        "dice",
        "staff",
        "mortal",
        "killers",
        "trial",
        "room",
        "trouble",
        "company",
    ];
    let mut private = Vec::new();
    for (name, text) in all_sources() {
        for line in code(&text) {
            let Some((_, declared)) =
                line.trim_start().split_once("pub ").or_else(|| line.split_once("pub(crate) "))
            else {
                continue;
            };
            let mut words = declared.split_whitespace().skip_while(|word| {
                ["async", "const", "fn", "struct", "enum", "trait", "static", "type", "mod"].contains(word)
            });
            let item = words.next().unwrap_or_default();
            let item =
                item.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            if let Some(word) = parts(item).iter().find(|part| PRIVATE.contains(&part.as_str())) {
                private.push(format!("{name}: `{word}` in `{item}`"));
            }
        }
    }
    assert_none("Who knows RabbitMQ, Postgres and Rust must not have to learn our words.", &private);
}

/// The words that a name in snake or camel case is made of, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || (c.is_ascii_uppercase() && before.is_ascii_lowercase()) {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("never empty").push(c.to_ascii_lowercase());
        }
        before = c;
    }
    parts
}

#[test]
fn no_file_is_called_misc() {
    const VAGUE: [&str; 5] = ["utils", "util", "common", "helpers", "manager"];
    let vague: Vec<_> = all_sources()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.split(['/', '.']).any(|part| VAGUE.contains(&part)))
        .collect();
    assert_none("Name a file after the concept in it.", &vague);
}

/// Every query below a folder, by name, in capitals.
fn queries(below: &str) -> Vec<(String, String)> {
    let (mut folders, mut found) = (vec![root().join(below)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                let text = fs::read_to_string(&path).expect("a query").to_uppercase();
                found.push((path.display().to_string(), text));
            }
        }
    }
    assert!(!found.is_empty(), "there are queries in {below}");
    found
}

#[test]
fn nobody_selects_everything() {
    let all = ["runtime/src", "workers/src", "producer-api/src", "ops/src"].into_iter().flat_map(queries);
    let greedy = all.filter(|(_, text)| text.contains("SELECT *") || text.contains("RETURNING *"));
    let greedy: Vec<_> = greedy.map(|(name, _)| name).collect();
    assert_none("Name the columns: a prepared `SELECT *` breaks when a migration adds one.", &greedy);
}

#[test]
fn the_api_writes_nothing() {
    let writes =
        |text: &str| ["INSERT ", "UPDATE ", "DELETE ", "TRUNCATE "].iter().any(|verb| text.contains(verb));
    let writing = queries("producer-api/src").into_iter().filter(|(_, text)| writes(text));
    let writing: Vec<_> = writing.map(|(name, _)| name).collect();
    assert_none("The API accepts jobs while the database is down: let a worker write.", &writing);
}

#[test]
fn entry_points_are_tables_of_contents() {
    let mut long = Vec::new();
    for (name, text) in all_sources() {
        let entry = name.starts_with("workers/src/bin/") || name.ends_with("/main.rs");
        if entry && text.lines().count() > 40 {
            long.push(format!("{name}: {} lines", text.lines().count()));
        }
    }
    assert_none("A composition root has at most 40 lines: move what it does into the library.", &long);
}

/// Programs and tests find the workers in `workers/src/bin`; this file can't.
#[test]
fn every_worker_is_a_service_of_compose() {
    let compose = fs::read_to_string(root().join("docker-compose.yml")).expect("a file of the project");
    let missing = domains().into_iter().map(|domain| format!("{domain}-worker"));
    let missing: Vec<_> = missing.filter(|worker| !compose.contains(&format!("  {worker}:\n"))).collect();
    assert_none(
        "A domain without its worker stands still: make it a service in docker-compose.yml.",
        &missing,
    );
}
