//! The documents: links lead somewhere, quoted code is the code, and the pages that everybody reads stay short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{all_sources, assert_none, root};

/// A screen and a half.
const README_LINES_MAX: usize = 85;
const ARCHITECTURE_WORDS_MAX: usize = 1_700;
/// Words that only this project had for things that have a name.
const PRIVATE_WORDS: [&str; 10] =
    ["door", "doors", "hears", "unheard", "suspect", "suspects", "rung", "rungs", "ladder", "ladders"];

/// Every document, with its path from the root.
fn documents() -> Vec<(PathBuf, String)> {
    let (mut folders, mut found) = (vec![root()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "node_modules"].contains(&name.as_str()) && !name.starts_with('.')
            {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path).expect("a document");
                found.push((path.strip_prefix(root()).expect("below the root").to_owned(), text));
            }
        }
    }
    assert!(found.len() > 5, "the documents are found");
    found
}

/// The lines outside blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    })
}

/// Where the links of a line lead.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in documents() {
        let folder = path.parent().unwrap_or(Path::new(""));
        for link in prose(&text).flat_map(links).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&path) } else { root().join(folder).join(file) };
            let leads = target.exists()
                && (anchor.is_empty()
                    || fs::read_to_string(target)
                        .is_ok_and(|text| anchors(&text).contains(&anchor.to_owned())));
            if !leads {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert_none("These links lead nowhere: name a file, and a heading of it, that are there.", &broken);
}

/// Code below `<!-- quote: path -->` stands in that file, line for line.
#[test]
fn quoted_code_is_the_code() {
    let (mut changed, mut quotes) = (Vec::new(), 0);
    for (path, text) in documents() {
        for quote in text.split("<!-- quote: ").skip(1) {
            let (source, rest) = quote.split_once(" -->\n").expect("a quote begins with its file");
            let block = rest.strip_prefix("```").and_then(|block| block.split_once('\n'));
            let (code, _) = block.and_then(|(_, block)| block.split_once("```")).expect("a block of code");
            let file = fs::read_to_string(root().join(source)).unwrap_or_default();
            quotes += 1;
            if !file.contains(code) {
                changed.push(format!("{}: {source}: {}", path.display(), code.lines().next().unwrap_or("")));
            }
        }
    }
    assert!(quotes > 5, "the quotes are found");
    assert_none("These quotes are not what the files say: copy the lines anew.", &changed);
}

#[test]
fn what_everybody_reads_is_short() {
    let read = |name| fs::read_to_string(root().join(name)).expect("a document");
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines: move what is longer to docs/");
    let words = read("ARCHITECTURE.md").split_whitespace().count();
    assert!(
        words <= ARCHITECTURE_WORDS_MAX,
        "ARCHITECTURE.md has {words} words: move reasons for a detail beside the code that they explain"
    );
}

#[test]
fn documents_use_the_words_of_the_field() {
    let mut private = Vec::new();
    for (path, text) in documents() {
        for line in prose(&text) {
            // What stands as code is a name on the wire, perhaps.
            let said: String = line.split('`').step_by(2).collect();
            let words = said.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase);
            let found = words.filter(|word| PRIVATE_WORDS.contains(&word.as_str()));
            private.extend(found.map(|word| format!("{}: {word}", path.display())));
        }
    }
    assert_none("Say API, subscribes, delay queue and retry schedule instead.", &private);
}

/// The names that begin like a metric's.
fn metrics(text: &str) -> impl Iterator<Item = String> {
    text.split("millrace_").skip(1).map(|rest| {
        let name = rest.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_').next();
        format!("millrace_{}", name.unwrap_or_default())
    })
}

#[test]
fn operators_find_every_metric() {
    const MACROS: [&str; 3] = ["counter!(", "gauge!(", "histogram!("];
    let mut recorded = BTreeSet::new();
    for (_, text) in all_sources() {
        for call in MACROS.iter().flat_map(|name| text.split(name).skip(1)) {
            let first = call.split(',').next().filter(|first| first.trim_start().starts_with("\"millrace_"));
            recorded.extend(first.into_iter().flat_map(metrics));
        }
    }
    let page = fs::read_to_string(root().join("docs/operations.md")).expect("the operators' page");
    let documented: BTreeSet<String> = metrics(&page).collect();
    assert_eq!(documented, recorded, "docs/operations.md lists the metrics that the programs record");
}

/// The words of a text that look like a setting's variable, such as `AMQP_URL`.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| {
        word.contains('_')
            && word.starts_with(|letter: char| letter.is_ascii_uppercase())
            && word
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_')
    })
}

/// Read by tools of others.
const FOREIGN: [&str; 1] = ["INSTA_UPDATE"];

#[test]
fn settings_in_documents_are_settings() {
    let sources = all_sources();
    let mut unknown = BTreeSet::new();
    for (path, text) in documents() {
        // Variables that an example sets are its own.
        let own: BTreeSet<&str> =
            text.lines().filter_map(|line| line.split_once('=')?.0.split(' ').next_back()).collect();
        let read = |name: &&str| {
            FOREIGN.contains(name)
                || own.contains(name)
                || sources.iter().any(|(_, text)| text.contains(*name))
        };
        unknown.extend(
            variables(&text).filter(|name| !read(name)).map(|name| format!("{}: {name}", path.display())),
        );
    }
    assert_none("No program reads these variables.", &unknown.into_iter().collect::<Vec<_>>());
}
