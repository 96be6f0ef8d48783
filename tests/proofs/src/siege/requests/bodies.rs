//! Bodies: valid ones of every command with a few things spoilt, and batches of them.

use millrace_testkit::random::Random;
use serde_json::Value;

use crate::commands;
use crate::mutation::{bytes, spoil};

/// Placeholder that is replaced by a value of any kind.
const MARK: &str = "@@";

/// Replacements of a field's value, JSON or not.
const VALUES: [&str; 30] = [
    "null",
    "true",
    "0",
    "-1",
    "0.1",
    "19.99",
    "1e400",
    "-0",
    "9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "\"\"",
    "\" \"",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "\"\\u0000\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\uFFFE\"",
    "\"\u{202e}evil\"",
    "NaN",
    "Infinity",
    "'x'",
    "01",
    "\"\\x\"",
    "{\"a\":{\"a\":{\"a\":1}}}",
    "\"<script>alert(1)</script>\"",
];

/// A command, and a body for it with up to three things spoilt. One in four is valid.
pub fn any(random: &mut Random) -> (&'static str, Vec<u8>) {
    let commands = commands::all();
    let (command, good) = &commands[random.below(commands.len())];
    if random.below(4) == 0 {
        return (command, good.to_string().into_bytes());
    }
    let mut body = fields(random, good);
    if random.below(3) > 0 {
        for _ in 0..=random.below(3) {
            body = spoilt(random, body);
        }
    }
    (command, body)
}

/// Lines of jobs, some of them spoilt, empty or no JSON at all.
pub fn batch(random: &mut Random) -> Vec<u8> {
    let mut lines = Vec::new();
    for _ in 0..random.below(20) {
        let (command, body) = any(random);
        match random.below(10) {
            0 => lines.extend_from_slice(&body),
            1 => lines.extend(noise_line(random)),
            2 => {}
            3 => lines.extend_from_slice(random.pick(&VALUES).as_bytes()),
            _ => {
                let key = random.pick(&[
                    "",
                    ",\"idempotency_key\":\"k-1\"",
                    ",\"idempotency_key\":7",
                    ",\"more\":1",
                ]);
                lines.extend_from_slice(format!("{{\"command\":\"{command}\"{key},\"data\":").as_bytes());
                lines.extend_from_slice(&body);
                lines.push(b'}');
            }
        }
        lines.extend_from_slice(random.pick(&["\n", "\n", "\r\n", "\n\n", ""]).as_bytes());
    }
    lines
}

fn noise_line(random: &mut Random) -> impl Iterator<Item = u8> {
    let length = random.below(200);
    bytes(random, length).into_iter().filter(|byte| *byte != b'\n')
}

/// A valid body, or one whose field has another value or name, or is missing.
fn fields(random: &mut Random, good: &Value) -> Vec<u8> {
    let mut body = good.clone();
    let Some(fields) = body.as_object_mut() else { return good.to_string().into_bytes() };
    let names: Vec<_> = fields.keys().cloned().collect();
    let name = &names[random.below(names.len())];
    match random.below(6) {
        0..=2 => drop(fields.insert(name.clone(), MARK.into())),
        3 => drop(fields.remove(name)),
        4 => {
            drop(fields.insert(
                random.pick(&["", "$ref", "__proto__", "user_id ", "ORDER_ID"]).to_owned(),
                MARK.into(),
            ))
        }
        _ => {}
    }
    let mark = format!("\"{MARK}\"");
    body.to_string().replace(&mark, &value(random)).into_bytes()
}

fn value(random: &mut Random) -> String {
    match random.below(12) {
        0 => format!("\"{}\"", "x".repeat(random.below(100_000))),
        1 => "[".repeat(random.below(5_000)),
        2 => {
            let depth = random.below(300);
            "[".repeat(depth) + &"]".repeat(depth)
        }
        3 => format!("[{}0]", "0,".repeat(random.below(20_000))),
        4 => "9".repeat(1 + random.below(2_000)),
        5 => "{\"a\":".repeat(random.below(300)) + "1",
        _ => random.pick(&VALUES).to_owned(),
    }
}

/// Changes to the text as a whole, or of some bytes in it.
fn spoilt(random: &mut Random, mut body: Vec<u8>) -> Vec<u8> {
    match random.below(14) {
        0 => {
            // Every field twice: the first object without its end, then the whole.
            let again: Vec<_> = body.strip_prefix(b"{").map_or_else(Vec::new, <[u8]>::to_vec);
            body.pop();
            body.push(b',');
            body.extend(again);
        }
        1 => body = [b"[", body.as_slice(), b"]"].concat(),
        2 => body.extend_from_slice(b" {}"),
        3 => body.clear(),
        4 => body = vec![b' '; random.below(300_000)],
        5 => {
            let most = if random.below(20) == 0 { 600_000 } else { 4_000 };
            let size = random.below(most);
            body = bytes(random, size);
        }
        6 => {
            let at = random.below(body.len());
            let end = (at + random.below(20)).min(body.len());
            body.splice(at..end, value(random).into_bytes());
        }
        7 => drop(body.splice(0..0, [0xef, 0xbb, 0xbf])),
        _ => spoil(random, &mut body),
    }
    body
}
