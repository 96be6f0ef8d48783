//! Messages that nobody can read. Each must be given up on its first delivery, and nothing else may be.

use std::collections::BTreeMap;

use super::message::{Message, Publication, short, text};
use lapin::types::{AMQPValue, FieldTable};
use millrace_contracts::catalog;
use millrace_protocol::{DomainName, Entry};
use millrace_testkit::random::Random;

#[derive(Debug)]
pub struct Poison {
    pub kind: &'static str,
    pub message_id: String,
    /// To whose queue it goes.
    pub domain: DomainName,
    pub publication: Publication,
}

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

/// One after the other, each kind in its turn, to a domain that is drawn among those that have commands.
pub fn draw(random: &mut Random, number: u64, client: &str) -> Poison {
    let turn = usize::try_from(number).unwrap_or(0) % KINDS.len();
    let (kind, wrong) = KINDS[turn];
    let command = random.pick(&commands());
    let (domain, id) = (command.owner(), random.uuid());
    let good = Message::job(id, command.message_type, client, command.example().to_string().into_bytes());
    let message_id = match wrong {
        Wrong::MessageId => format!("poison-{}", id.simple()),
        _ => id.to_string(),
    };
    let mut publication = spoilt(good.publication(), wrong, command);
    publication.properties = publication.properties.with_message_id(short(&message_id));
    // The default exchange routes by queue name.
    (publication.exchange, publication.routing_key) = (String::new(), domain.as_str().to_owned());
    Poison { kind, message_id, domain, publication }
}

/// The smallest command of each domain that has any.
fn commands() -> Vec<&'static Entry> {
    let fields = |entry: &&Entry| entry.example().as_object().map_or(0, serde_json::Map::len);
    let of = |domain: &DomainName| {
        catalog().commands().filter(|entry| entry.owner() == *domain).min_by_key(fields)
    };
    catalog().domains().iter().filter_map(of).collect()
}

fn spoilt(mut good: Publication, wrong: Wrong, command: &Entry) -> Publication {
    let mut headers = good.properties.headers().clone().unwrap_or_default();
    match wrong {
        Wrong::Body(text) => good.body = text.as_bytes().to_vec(),
        Wrong::Deep => good.body = "[".repeat(10_000).into_bytes(),
        Wrong::Field => {
            let mut body = command.example();
            // Whatever a field holds, it is no object of this field.
            if let Some(fields) = body.as_object_mut() {
                fields.values_mut().for_each(|value| *value = serde_json::json!({"wrong": 7}));
            }
            good.body = body.to_string().into_bytes();
        }
        Wrong::Type => {
            let nonsense = format!("{}.nonsense", command.owner());
            good.properties = good.properties.with_type(short(&nonsense));
        }
        Wrong::Version => drop(headers.insert("version".into(), AMQPValue::LongUInt(999))),
        Wrong::NoHeaders => headers = FieldTable::default(),
        Wrong::Header(name, value) => drop(headers.insert(name.into(), text(value))),
        Wrong::MissingHeader(name) => headers = without(&headers, name),
        // Its fingerprint is missing, so that it stays poison however big headers are dealt with.
        Wrong::HugeHeader => {
            headers = without(&headers, "fingerprint");
            headers.insert("burden".into(), text(&"x".repeat(60_000)));
        }
        Wrong::MessageId => {}
    }
    Publication { properties: good.properties.with_headers(headers), ..good }
}

fn without(headers: &FieldTable, name: &str) -> FieldTable {
    let kept = headers.inner().iter().filter(|(given, _)| given.as_str() != name);
    kept.map(|(given, value)| (given.clone(), value.clone())).collect::<BTreeMap<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

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
            for command in commands() {
                if matches!(wrong, Wrong::Body(_) | Wrong::Deep | Wrong::Field) {
                    let good =
                        Message::job(Uuid::nil(), command.message_type, "dev", Vec::new()).publication();
                    let body = spoilt(good, wrong, command).body;
                    let read = command.reads(command.version, &body);
                    assert!(read.is_err(), "{kind} can be read as {}", command.message_type);
                }
            }
        }
    }
}
