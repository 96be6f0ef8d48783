//! Mutations of valid messages, generated from a seed.

use millrace_testkit::random::Random;
use uuid::Uuid;

use crate::hostile::amqp::{Field, Message, SIZES, Table};
use crate::hostile::valid;
use crate::mutation::{byte, bytes, spoil};

/// Any text that a short string may hold.
fn text(random: &mut Random) -> Vec<u8> {
    let length = random.below(60);
    let text: String = (0..length).map(|_| char::from(byte(random) & 0x7f)).collect();
    text.into_bytes()
}

/// A valid message with one to five changes; `before` are the ids of earlier ones.
///
/// Short strings stay text: others end the worker's connection, and are kinds of poison of their own.
pub fn mutated(random: &mut Random, before: &[Uuid]) -> (Uuid, Message) {
    let id = Uuid::now_v7();
    let mut message = if random.below(8) == 0 { valid::customer(id) } else { valid::order(id) };
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0..=3 => spoil(random, &mut message.body),
            4..=6 => header(random, message.headers.get_or_insert_default()),
            7 | 8 => property(random, &mut message),
            _ if before.is_empty() => {}
            _ => message.message_id = Some(before[random.below(before.len())].to_string().into_bytes()),
        }
    }
    (id, message)
}

fn header(random: &mut Random, headers: &mut Table) {
    if headers.is_empty() {
        return;
    }
    let at = random.below(headers.len());
    match random.below(6) {
        0 => drop(headers.remove(at)),
        1 => headers[at].1 = field(random),
        2 => headers[at].0 = text(random),
        3 => {
            let other = random.below(headers.len());
            let value = headers[other].1.clone();
            headers[other].1 = std::mem::replace(&mut headers[at].1, value);
        }
        4 => headers.push((text(random), field(random))),
        _ => {
            let broken = headers[at].clone();
            headers.push(broken);
        }
    }
}

fn field(random: &mut Random) -> Field {
    match random.below(SIZES.len() + 4) {
        0 => Field::Array(vec![Field::text("a"), Field::number(1)]),
        1 => Field::Table(vec![(b"a".to_vec(), Field::number(1))]),
        2 => {
            let length = random.below(3000);
            Field::Text(bytes(random, length))
        }
        3 => {
            let length = random.below(3000);
            Field::Bytes(bytes(random, length))
        }
        position => {
            let (letter, size) = SIZES[position - 4];
            let mut bytes = bytes(random, size);
            if let (b'f' | b'd', Some(first)) = (letter, bytes.first_mut()) {
                // The broker rejects floats that are not numbers.
                *first &= 0x3f;
            }
            Field::Other(letter, bytes)
        }
    }
}

fn property(random: &mut Random, message: &mut Message) {
    let text = (random.below(3) > 0).then(|| text(random));
    match random.below(8) {
        0 => message.content_type = text,
        1 => message.content_encoding = text,
        2 => message.correlation_id = text,
        3 => message.message_id = text,
        4 => message.kind = text,
        5 => message.app_id = text,
        6 => message.kind = Some(b"orders.cancel".to_vec()),
        _ => message.timestamp = Some(random.number()),
    }
}
