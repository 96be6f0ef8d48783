//! Headers that are missing, malformed, forged, deep or large.

use super::{Ending, Kind, set, unset};
use crate::hostile::amqp::{Field, SIZES, nested};

const NEEDED: [&str; 5] = ["version", "causation-id", "client-id", "attempt", "fingerprint"];
/// Bytes of a header frame that everything else takes, at most.
const ROOM: usize = 700;

pub fn add(kinds: &mut Vec<Kind>, header_max: usize) {
    super::add(kinds, "header: none at all", Ending::Dead, |message| message.headers = None);
    for name in NEEDED {
        super::add(kinds, format!("header: no {name}"), Ending::Dead, |message| unset(message, name));
        let mut wrong = |what: &str, value| {
            super::add(kinds, format!("header: {name} is {what}"), Ending::Dead, |message| {
                set(message, name, value)
            });
        };
        wrong("a table", Field::Table(Vec::new()));
        wrong("nothing", Field::Other(b'V', Vec::new()));
        wrong("invalid UTF-8", Field::text(b"\xff\xfe"));
        wrong("60,000 bytes long", Field::text("x".repeat(60_000)));
    }
    values(kinds);
    types(kinds);
    brokers_own(kinds);
    deep_and_large(kinds, header_max);
}

fn values(kinds: &mut Vec<Kind>) {
    for (name, value) in
        [("version", -1), ("version", 0), ("version", 2), ("version", 65_536), ("attempt", -1)]
    {
        super::add(kinds, format!("header: {name} is {value}"), Ending::Dead, |message| {
            set(message, name, Field::number(value));
        });
    }
    super::add(kinds, "header: attempt is 65535", Ending::Processed, |message| {
        set(message, "attempt", Field::number(65_535));
    });
    super::add(kinds, "header: attempt is 65536", Ending::Dead, |message| {
        set(message, "attempt", Field::number(65_536));
    });
    super::add(kinds, "header: traceparent is nonsense", Ending::Processed, |message| {
        set(message, "traceparent", Field::text("00-\0-\u{fffd}"));
    });
    super::add(kinds, "header: failure-class is forged", Ending::Processed, |message| {
        set(message, "failure-class", Field::text("crash"));
        set(message, "first-failed-at", Field::Table(Vec::new()));
    });
}

/// Every type that a field may have, and one that none has.
fn types(kinds: &mut Vec<Kind>) {
    for (letter, size) in SIZES {
        let name = format!("header: one of type {}", char::from(letter));
        super::add(kinds, name, Ending::Processed, |message| {
            set(message, "extra", Field::Other(letter, vec![0x40; size]));
        });
    }
    for (name, value) in [
        ("x", Field::Bytes(vec![0xff; 16])),
        ("A", Field::Array(vec![Field::number(1), Field::text("a"), Field::Array(Vec::new())])),
        ("F", Field::Table(vec![(b"a".to_vec(), Field::number(1))])),
    ] {
        super::add(kinds, format!("header: one of type {name}"), Ending::Processed, |message| {
            set(message, "extra", value)
        });
    }
    super::add(kinds, "header: one of type d that is no number", Ending::Rejected, |message| {
        set(message, "extra", Field::Other(b'd', vec![0xff; 8]));
    });
    super::add(kinds, "header: one of type ?, which there is not", Ending::Rejected, |message| {
        set(message, "extra", Field::Other(b'?', vec![0; 8]));
    });
}

/// Headers that the broker writes itself or acts upon.
fn brokers_own(kinds: &mut Vec<Kind>) {
    let death = || {
        let entry = [
            ("count", Field::Other(b'l', i64::MAX.to_be_bytes().to_vec())),
            ("queue", Field::text("orders")),
            ("reason", Field::text("rejected")),
            ("exchange", Field::text("")),
        ];
        Field::Table(entry.map(|(key, value)| (key.as_bytes().to_vec(), value)).to_vec())
    };
    for (name, key, value) in [
        ("x-death", "x-death", Field::Array(vec![death(), death()])),
        ("x-death of another type", "x-death", Field::text("often")),
        ("x-delivery-count of 1000", "x-delivery-count", Field::number(1000)),
        ("x-delivery-count of another type", "x-delivery-count", Field::text("often")),
        ("x-delivery-count below zero", "x-delivery-count", Field::number(-1)),
        ("CC to nowhere", "CC", Field::Array(vec![Field::text("nowhere")])),
        ("BCC to nowhere", "BCC", Field::Array(vec![Field::text("nowhere")])),
    ] {
        super::add(kinds, format!("header: {name}"), Ending::Processed, |message| set(message, key, value));
    }
    super::add(kinds, "header: CC of another type", Ending::Rejected, |message| {
        set(message, "CC", Field::number(1))
    });
}

fn deep_and_large(kinds: &mut Vec<Kind>, header_max: usize) {
    // No more than 18,000 fit into a frame.
    for depth in [100, 1_000, 10_000, 18_000] {
        super::add(kinds, format!("header: tables {depth} deep"), Ending::Processed, |message| {
            set(message, "deep", nested(depth));
        });
    }
    super::add(kinds, "header: tables 100 deep, and the body not JSON", Ending::Dead, |message| {
        set(message, "deep", nested(100));
        message.body = b"{".to_vec();
    });
    super::add(kinds, "header: as large as a frame", Ending::Processed, |message| {
        set(message, "large", Field::text("x".repeat(header_max - ROOM)));
    });
    super::add(kinds, "header: as large as a frame, and the body not JSON", Ending::Dead, |message| {
        set(message, "large", Field::text("x".repeat(header_max - ROOM)));
        message.body = b"{".to_vec();
    });
    super::add(kinds, "header: 5000 of them, and the body not JSON", Ending::Dead, |message| {
        (0..5_000).for_each(|number| set(message, format!("h{number}"), Field::number(number)));
        message.body = b"{".to_vec();
    });
    super::add(kinds, "header: a key that is no UTF-8", Ending::GivenUpByBroker, |message| {
        set(message, b"caf\xe9", Field::number(1));
    });
    super::add(kinds, "header: a key of 255 bytes", Ending::Processed, |message| {
        set(message, "k".repeat(255), Field::number(1));
    });
    super::add(kinds, "header: a key that is empty", Ending::Processed, |message| {
        set(message, "", Field::number(1))
    });
    super::add(kinds, "header: a key twice", Ending::Processed, |message| {
        let headers = message.headers.get_or_insert_default();
        headers.push((b"attempt".to_vec(), Field::number(1)));
    });
}
