//! Bodies that are not orders.

use super::{Ending, Kind};
use crate::hostile::amqp::Message;

/// The broker's own limit is 16 MiB or more; this is what a worker must bear.
const LARGE: usize = 8 << 20;

fn replaced(what: &str, by: &str) -> impl FnOnce(&mut Message) {
    move |message| {
        let body = String::from_utf8_lossy(&message.body).into_owned();
        assert!(body.contains(what), "{body} has no {what}");
        message.body = body.replacen(what, by, 1).into_bytes();
    }
}

fn add_all(kinds: &mut Vec<Kind>, bodies: Vec<(&str, Vec<u8>)>) {
    for (name, body) in bodies {
        super::add(kinds, format!("body: {name}"), Ending::Dead, |message| message.body = body);
    }
}

fn add_replaced(kinds: &mut Vec<Kind>) {
    let sku = r#""TEA-EARL-GREY-250""#;
    let line = r#"{"sku":"A","quantity":1,"unit_price_minor":1}"#;
    for (name, what, by) in [
        ("a wrong type of value", r#""EUR""#, "7".to_owned()),
        ("an unknown currency", "EUR", "XYZ".to_owned()),
        ("a field in wrong case", "currency", "Currency".to_owned()),
        ("a field twice", "{", r#"{"currency":"EUR","#.to_owned()),
        ("NUL in a text", sku, r#""TEA\u0000""#.to_owned()),
        ("a lone surrogate", sku, r#""\ud800""#.to_owned()),
        ("a text one byte over its limit", sku, format!("{:?}", "A".repeat(65))),
        ("a text of 1 MiB", sku, format!("{:?}", "A".repeat(1 << 20))),
        ("1e131071", "1250", "1e131071".to_owned()),
        ("1e400", "1250", "1e400".to_owned()),
        ("a number of 100,000 digits", "1250", "9".repeat(100_000)),
        ("one above 2^53", "1250", "9007199254740993".to_owned()),
        ("a total above 2^53", "1250", "9007199254740991".to_owned()),
        ("-1", "1250", "-1".to_owned()),
        ("a quantity of 0", r#""quantity":2"#, r#""quantity":0"#.to_owned()),
        ("not a UUID", r#""user_id":""#, r#""user_id":"x"#.to_owned()),
        ("101 lines", r#""lines":["#, format!(r#""lines":[{}"#, format!("{line},").repeat(100))),
        ("100,000 lines", r#""lines":["#, format!(r#""lines":[{}"#, format!("{line},").repeat(100_000))),
    ] {
        super::add(kinds, format!("body: {name}"), Ending::Dead, replaced(what, &by));
    }
    let unknown = format!(r#"{{"x":{}{},"#, "[".repeat(10_000), "]".repeat(10_000));
    super::add(kinds, "body: an unknown field, 10,000 deep", Ending::Processed, replaced("{", &unknown));
    let many: String = (0..10_000).map(|number| format!(r#""x{number}":0,"#)).collect();
    super::add(kinds, "body: 10,000 unknown fields", Ending::Processed, replaced("{", &format!("{{{many}")));
}

pub fn add(kinds: &mut Vec<Kind>) {
    let deep = |open: &str, close: &str| [open.repeat(10_000), close.repeat(10_000)].concat().into_bytes();
    add_all(
        kinds,
        vec![
            ("empty", Vec::new()),
            ("not JSON", b"{nonsense".to_vec()),
            ("one NUL", vec![0]),
            ("every byte there is", (0..=255).collect()),
            ("invalid UTF-8", b"{\"currency\":\"\xff\xfe\"}".to_vec()),
            ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
            ("null", b"null".to_vec()),
            ("a number", b"7".to_vec()),
            ("a text", b"\"order\"".to_vec()),
            ("an array", b"[]".to_vec()),
            ("an empty object", b"{}".to_vec()),
            ("two values", b"{} {}".to_vec()),
            ("arrays 10,000 deep", deep("[", "]")),
            ("objects 10,000 deep", deep(r#"{"a":"#, "}")),
            ("arrays 10,000 deep, not closed", b"[".repeat(10_000)),
            ("8 MiB of blanks", vec![b' '; LARGE]),
            ("8 MiB of brackets", vec![b'['; LARGE]),
            ("an array of a million numbers", format!("[{}0]", "0,".repeat(1_000_000)).into_bytes()),
            ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec()),
        ],
    );
    add_replaced(kinds);
}
