//! Messages that nobody can read. Each must be given up on its first delivery, and nothing else may be.

use lapin::types::{AMQPValue, FieldTable};
use millrace_contracts::catalog;
use millrace_protocol::{DomainName, Entry};
use uuid::Uuid;

use super::message::{Publication, properties, short, text};
use millrace_testkit::random::Random;

/// One of them.
#[derive(Debug)]
pub struct Poison {
    pub kind: &'static str,
    pub message_id: String,
    /// To whose queue it goes.
    pub domain: DomainName,
    pub publication: Publication,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Body(&'static str),
    Deep,
    Field,
    Version,
    Type,
    NoHeaders,
    Header(&'static str, &'static str),
    MissingHeader(&'static str),
    MessageId,
    HugeHeader,
}

const KINDS: [(&str, Wrong); 14] = [
    ("not-json", Wrong::Body("{nonsense")),
    ("empty", Wrong::Body("")),
    ("list", Wrong::Body("[]")),
    ("half", Wrong::Body("{\"user_id\":\"0198")),
    ("not-utf-8", Wrong::Body("{\"user_id\":\"\\ud800\"}")),
    ("deep", Wrong::Deep),
    ("wrong-field", Wrong::Field),
    ("unknown-version", Wrong::Version),
    ("unknown-type", Wrong::Type),
    ("no-headers", Wrong::NoHeaders),
    ("no-client", Wrong::Header("client-id", "")),
    ("no-fingerprint", Wrong::MissingHeader("fingerprint")),
    ("no-uuid", Wrong::MessageId),
    ("huge-header", Wrong::HugeHeader),
];

/// One after the other, each kind in its turn, to a domain that is drawn.
pub fn draw(random: &mut Random, number: u64, client: &str) -> Poison {
    let turn = usize::try_from(number).unwrap_or(0) % KINDS.len();
    let (kind, wrong) = KINDS[turn];
    let domain = random.pick(catalog().domains());
    let id = random.uuid();
    let message_id = match wrong {
        Wrong::MessageId => format!("poison-{}", id.simple()),
        _ => id.to_string(),
    };
    let message_type = match wrong {
        Wrong::Type => format!("{domain}.nonsense"),
        _ => a_command_of(domain).to_owned(),
    };
    let properties = properties(&message_id, headers(wrong, id, client))
        .with_correlation_id(short(&id.to_string()))
        .with_type(short(&message_type));
    // The default exchange routes by queue name.
    let publication = Publication {
        exchange: String::new(),
        routing_key: domain.as_str().to_owned(),
        properties,
        body: body(wrong, &message_type),
    };
    Poison { kind, message_id, domain, publication }
}

/// A command of this domain whose body is a single id.
fn a_command_of(domain: DomainName) -> &'static str {
    let single = |entry: &&Entry| {
        entry.owner() == domain && entry.example().as_object().is_some_and(|body| body.len() == 1)
    };
    let command = catalog().commands().find(single);
    command.expect("every domain has such a command").message_type
}

fn body(wrong: Wrong, message_type: &str) -> Vec<u8> {
    let good =
        || catalog().find(message_type).map_or(serde_json::json!({}), millrace_protocol::Entry::example);
    match wrong {
        Wrong::Body(text) => text.as_bytes().to_vec(),
        Wrong::Deep => "[".repeat(10_000).into_bytes(),
        Wrong::Field => {
            let mut body = good();
            // `a_command_of` gives only commands with exactly one field, an id.
            if let Some(fields) = body.as_object_mut() {
                fields.values_mut().for_each(|value| *value = serde_json::json!(7));
            }
            body.to_string().into_bytes()
        }
        _ => good().to_string().into_bytes(),
    }
}

fn headers(wrong: Wrong, id: Uuid, client: &str) -> FieldTable {
    let mut headers = FieldTable::default();
    if wrong == Wrong::NoHeaders {
        return headers;
    }
    let version = if wrong == Wrong::Version { 999 } else { 1 };
    let mut all = vec![
        ("version", AMQPValue::LongUInt(version)),
        ("attempt", AMQPValue::LongUInt(1)),
        ("causation-id", text(&id.to_string())),
        ("client-id", text(client)),
        ("fingerprint", text(&"0".repeat(32))),
    ];
    match wrong {
        Wrong::Header(name, value) => {
            all.retain(|(given, _)| *given != name);
            all.push((name, text(value)));
        }
        Wrong::MissingHeader(name) => all.retain(|(given, _)| *given != name),
        // Its fingerprint is unreadable, so that it stays poison however big headers are dealt with.
        Wrong::HugeHeader => {
            all.retain(|(given, _)| *given != "fingerprint");
            all.push(("burden", text(&"x".repeat(60_000))));
        }
        _ => {}
    }
    for (name, value) in all {
        headers.insert(name.into(), value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use millrace_contracts::orders::Cancel;
    use millrace_protocol::UnknownFields;

    use super::*;

    #[test]
    fn every_kind_has_its_turn_and_an_id_of_its_own() {
        let mut numbers = Random::of(1, "poison", 0);
        let drawn: Vec<_> = (0..28).map(|number| draw(&mut numbers, number, "dev")).collect();
        assert_eq!(drawn.iter().map(|it| it.kind).collect::<BTreeSet<_>>().len(), KINDS.len());
        assert_eq!(drawn.iter().map(|it| &it.message_id).collect::<BTreeSet<_>>().len(), drawn.len());
    }

    #[test]
    fn bodies_that_are_meant_to_be_wrong_are_wrong() {
        for (kind, wrong) in KINDS {
            if matches!(wrong, Wrong::Body(_) | Wrong::Deep | Wrong::Field) {
                let body = body(wrong, "orders.cancel");
                let read = millrace_protocol::decode::<Cancel>(&body, UnknownFields::Ignore);
                assert!(read.is_err(), "{kind} can be read");
            }
        }
    }
}
