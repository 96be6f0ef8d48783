//! Properties that are missing, malformed, or ask the broker for something.

use super::{Ending, Kind};
use crate::hostile::amqp::Message;

type Property = fn(&mut Message) -> &mut Option<Vec<u8>>;

/// A property that is not text ends the worker's whole connection, over and over, until the broker gives the message up.
const INVALID: &[u8] = b"caf\xe9";

pub fn add(kinds: &mut Vec<Kind>) {
    let needed: [(&str, Property); 3] = [
        ("message_id", |message| &mut message.message_id),
        ("correlation_id", |message| &mut message.correlation_id),
        ("type", |message| &mut message.kind),
    ];
    let other: [(&str, Property); 5] = [
        ("content_type", |message| &mut message.content_type),
        ("content_encoding", |message| &mut message.content_encoding),
        ("reply_to", |message| &mut message.reply_to),
        ("app_id", |message| &mut message.app_id),
        ("cluster_id", |message| &mut message.cluster_id),
    ];
    let mut add = |name: String, ending, of: Property, value: Option<Vec<u8>>| {
        super::add(kinds, format!("property: {name}"), ending, |message| *of(message) = value);
    };
    for (name, of) in needed {
        add(format!("no {name}"), Ending::Dead, of, None);
        add(format!("{name} is empty"), Ending::Dead, of, Some(Vec::new()));
        add(format!("{name} is nonsense"), Ending::Dead, of, Some(b"nonsense".to_vec()));
        add(format!("{name} of 255 bytes"), Ending::Dead, of, Some(vec![b'x'; 255]));
        add(format!("{name} has a NUL"), Ending::Dead, of, Some(b"a\0b".to_vec()));
        add(format!("{name} is no UTF-8"), Ending::GivenUpByBroker, of, Some(INVALID.to_vec()));
    }
    for (name, of) in other {
        add(format!("no {name}"), Ending::Processed, of, None);
        add(format!("{name} of 255 bytes"), Ending::Processed, of, Some(vec![b'x'; 255]));
        add(format!("{name} is no UTF-8"), Ending::GivenUpByBroker, of, Some(INVALID.to_vec()));
    }
    let kind: Property = |message| &mut message.kind;
    for (name, value) in [
        ("an event of another domain", "auth.password-set"),
        ("a command of another domain", "payments.charge"),
        ("a type in wrong case", "Orders.Place"),
    ] {
        add(name.to_owned(), Ending::Dead, kind, Some(value.into()));
    }
    add(
        "content_encoding gzip".to_owned(),
        Ending::Processed,
        |message| &mut message.content_encoding,
        Some("gzip".into()),
    );
    let expiration: Property = |message| &mut message.expiration;
    add("expiration of a minute".to_owned(), Ending::Processed, expiration, Some("60000".into()));
    add("expiration of nonsense".to_owned(), Ending::Rejected, expiration, Some("soon".into()));
    let user: Property = |message| &mut message.user_id;
    add("user_id of somebody else".to_owned(), Ending::Rejected, user, Some("somebody".into()));
    let nil = b"00000000-0000-0000-0000-000000000000".to_vec();
    add("message_id is nil".to_owned(), Ending::Processed, |message| &mut message.message_id, Some(nil));
    super::add(kinds, "property: none at all", Ending::Dead, |message| {
        *message = Message { body: message.body.clone(), ..Message::default() };
    });
    super::add(kinds, "property: delivery_mode 255", Ending::Rejected, |message| {
        message.delivery_mode = Some(255)
    });
    super::add(kinds, "property: priority 255", Ending::Processed, |message| message.priority = Some(255));
    super::add(kinds, "property: timestamp of 2^64 - 1", Ending::Processed, |message| {
        message.timestamp = Some(u64::MAX);
    });
}
