//! The names that a new domain's files are filled with.

use super::messages::Message;

/// Words that can't be the name of a module or of a schema: of Rust, of SQL, and those that `contracts` and `workers` use.
const TAKEN: &[&str] = &[
    "abstract",
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "async",
    "await",
    "bin",
    "both",
    "box",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "const",
    "constraint",
    "continue",
    "crate",
    "create",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "enum",
    "except",
    "extern",
    "false",
    "fetch",
    "fn",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "ids",
    "if",
    "impl",
    "in",
    "into",
    "ledger",
    "let",
    "lib",
    "limit",
    "loop",
    "match",
    "mod",
    "money",
    "move",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "public",
    "system",
    "table",
    "tests",
    "text",
    "to",
    "use",
    "user",
];

/// A domain to be made: its name, the events that it subscribes to, and the id that they have in common.
#[derive(Debug)]
pub struct Names {
    domain: String,
    events: Vec<Message>,
    subject: Subject,
}

/// The field that says what an event is about, such as `order_id` of the type `OrderId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub field: String,
    pub kind: String,
}

/// Why there can't be such a domain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("`{0}` can't be a domain's name: it has 1 to 32 lower case letters, such as `shipping`")]
    BadName(String),
    #[error("`{0}` can't be a domain's name: it has a meaning of its own in Rust, in SQL or in this project")]
    TakenName(String),
    #[error("there is a domain `{0}` already")]
    Exists(String),
    #[error(
        "name at least one event, such as `--subscribes orders.confirmed`: it opens what the domain keeps rows of"
    )]
    NoEvent,
    #[error("`{0}` is named twice in --subscribes")]
    Twice(String),
    #[error("there is no event `{wire}`; there are {}", known.join(", "))]
    UnknownEvent { wire: String, known: Vec<String> },
    #[error(
        "`{wire}` is a command, and a command has one handler; subscribe to what follows from it, which is one of {}",
        known.join(", ")
    )]
    Command { wire: String, known: Vec<String> },
    #[error(
        "{} have no id in common, and a new domain keeps one row for each id; name events that have one, and add the others \
         by hand",
        .0.join(" and ")
    )]
    NothingInCommon(Vec<String>),
    #[error("{file} is not as `new-domain` expects it: it has no `{anchor}`")]
    NoAnchor { file: &'static str, anchor: &'static str },
}

impl Names {
    /// The names of a domain that subscribes to these events, out of all messages that there are.
    pub fn new(domain: &str, subscribes: &[String], messages: &[Message]) -> Result<Self, Refused> {
        let letters = domain.bytes().all(|byte| byte.is_ascii_lowercase());
        if !letters || domain.is_empty() || domain.len() > 32 {
            return Err(Refused::BadName(domain.to_owned()));
        }
        if TAKEN.contains(&domain) {
            return Err(Refused::TakenName(domain.to_owned()));
        }
        if messages.iter().any(|message| message.module == domain) {
            return Err(Refused::Exists(domain.to_owned()));
        }
        let mut events: Vec<Message> = Vec::new();
        for wire in subscribes {
            let event = event(wire, messages)?;
            if events.contains(&event) {
                return Err(Refused::Twice(wire.clone()));
            }
            events.push(event);
        }
        let subject = in_common(&events)?;
        Ok(Self { domain: domain.to_owned(), events, subject })
    }

    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The events, each with the names that it has.
    pub fn events(&self) -> Vec<EventNames<'_>> {
        self.events.iter().map(|event| EventNames { event, subject: &self.subject }).collect()
    }

    /// The events that close what the first one opens.
    pub fn closing(&self) -> Vec<EventNames<'_>> {
        self.events().split_off(1)
    }

    /// What each placeholder stands for.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let Self { domain, events, subject } = self;
        let noun = subject.field.strip_suffix("_id").unwrap_or(&subject.field).replace('_', " ");
        let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        let mut modules: Vec<&str> = events.iter().map(|event| event.module.as_str()).collect();
        modules.sort_unstable();
        modules.dedup();
        let event_modules = modules.join(", ");
        modules.push(domain);
        modules.sort_unstable();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let mut pairs = vec![
            pair("domain", domain.clone()),
            pair("Domain", camel(domain)),
            pair("subject", subject.field.clone()),
            pair("Subject", subject.kind.clone()),
            pair("a_noun", format!("{article} {noun}")),
            pair("nouns", format!("{}s", noun.replace(' ', "_"))),
            pair("noun", noun),
            pair("modules", modules.join(", ")),
            pair("event_modules", event_modules),
            pair("message_count", (events.len() + 1).to_string()),
        ];
        pairs.extend(self.events().first().map(|event| event.pairs("opening")).unwrap_or_default());
        pairs
    }
}

/// What templates call an event.
#[derive(Debug)]
pub struct EventNames<'a> {
    event: &'a Message,
    subject: &'a Subject,
}

impl EventNames<'_> {
    pub fn pairs(&self, prefix: &str) -> Vec<(String, String)> {
        let Message { wire, module, name, fields, .. } = self.event;
        let path = format!("{module}::{name}");
        let others = if fields.len() > 1 { format!(", ..{path}::example()") } else { String::new() };
        let pair = |name: &str, value: String| (format!("{prefix}.{name}"), value);
        vec![
            pair("wire", wire.clone()),
            pair("fields", format!("{}{others}", self.subject.field)),
            pair("variant", format!("{}{name}", camel(module))),
            pair("function", wire.replace(['.', '-'], "_")),
            pair("path", path),
        ]
    }
}

fn event(wire: &str, messages: &[Message]) -> Result<Message, Refused> {
    let events = || messages.iter().filter(|message| message.is_event);
    let known = |module: Option<&str>| -> Vec<String> {
        let of = events().filter(|event| module.is_none_or(|module| event.module == module));
        of.map(|event| event.wire.clone()).collect()
    };
    match messages.iter().find(|message| message.wire == wire) {
        Some(event) if event.is_event => Ok(event.clone()),
        Some(command) => Err(Refused::Command { wire: wire.to_owned(), known: known(Some(&command.module)) }),
        None => Err(Refused::UnknownEvent { wire: wire.to_owned(), known: known(None) }),
    }
}

/// The first id of the first event that all others have, too.
fn in_common(events: &[Message]) -> Result<Subject, Refused> {
    let first = events.first().ok_or(Refused::NoEvent)?;
    let shared = |field: &&(String, String)| events.iter().all(|event| event.fields.contains(*field));
    let mut ids = first.fields.iter().filter(|(_, kind)| kind.ends_with("Id"));
    let (field, kind) = ids
        .find(shared)
        .ok_or_else(|| Refused::NothingInCommon(events.iter().map(|event| event.wire.clone()).collect()))?;
    Ok(Subject { field: field.clone(), kind: kind.clone() })
}

fn camel(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
