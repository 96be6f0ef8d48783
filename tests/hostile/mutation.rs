//! Mutations of good messages, drawn from a seed.

use uuid::Uuid;

use crate::good;
use crate::raw::{Field, Message, Table};

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    /// What a short string may hold: anything that is text.
    fn text(&mut self) -> Vec<u8> {
        let length = self.below(60);
        let text: String = (0..length).map(|_| char::from(self.byte() & 0x7f)).collect();
        text.into_bytes()
    }
}

/// A good message with one to four things changed; `before` are the ids of earlier ones.
///
/// Short strings stay text: what is none ends the worker's connection, and has kinds of its own.
pub fn mutated(random: &mut Random, before: &[Uuid]) -> (Uuid, Message) {
    let id = Uuid::now_v7();
    let mut message = if random.below(8) == 0 { good::customer(id) } else { good::order(id) };
    for _ in 0..=random.below(4) {
        match random.below(10) {
            0..=3 => body(random, &mut message.body),
            4..=6 => header(random, message.headers.get_or_insert_default()),
            7 | 8 => property(random, &mut message),
            _ if before.is_empty() => {}
            _ => message.message_id = Some(before[random.below(before.len())].to_string().into_bytes()),
        }
    }
    (id, message)
}

fn body(random: &mut Random, body: &mut Vec<u8>) {
    let at = random.below(body.len());
    match random.below(7) {
        0 if at < body.len() => body[at] ^= 1 << random.below(8),
        1 if at < body.len() => body[at] = random.byte(),
        2 => body.truncate(at),
        3 => {
            let length = random.below(16);
            body.splice(at..at, random.bytes(length));
        }
        4 => {
            let piece = body[at..].to_vec();
            body.splice(at..at, piece);
        }
        5 => {
            let token =
                [&b"null"[..], b"-1", b"1e400", b"\"\"", b"[]", b"{}", b"\\u0000", b"\xff", b"true", b","];
            let token = token[random.below(token.len())];
            let end = (at + random.below(12)).min(body.len());
            body.splice(at..end, token.iter().copied());
        }
        _ => {
            let end = (at + random.below(40)).min(body.len());
            body.drain(at..end);
        }
    }
}

fn header(random: &mut Random, headers: &mut Table) {
    if headers.is_empty() {
        return;
    }
    let at = random.below(headers.len());
    match random.below(6) {
        0 => drop(headers.remove(at)),
        1 => headers[at].1 = field(random),
        2 => headers[at].0 = random.text(),
        3 => {
            let other = random.below(headers.len());
            let value = headers[other].1.clone();
            headers[other].1 = std::mem::replace(&mut headers[at].1, value);
        }
        4 => headers.push((random.text(), field(random))),
        _ => {
            let broken = headers[at].clone();
            headers.push(broken);
        }
    }
}

fn field(random: &mut Random) -> Field {
    let sizes = [
        (b't', 1),
        (b'b', 1),
        (b'B', 1),
        (b's', 2),
        (b'u', 2),
        (b'I', 4),
        (b'i', 4),
        (b'l', 8),
        (b'f', 4),
        (b'd', 8),
        (b'D', 5),
        (b'T', 8),
        (b'V', 0),
    ];
    match random.below(sizes.len() + 4) {
        0 => Field::Array(vec![Field::text("a"), Field::number(1)]),
        1 => Field::Table(vec![(b"a".to_vec(), Field::number(1))]),
        2 => {
            let length = random.below(3000);
            Field::Text(random.bytes(length))
        }
        3 => {
            let length = random.below(3000);
            Field::Bytes(random.bytes(length))
        }
        position => {
            let (letter, size) = sizes[position - 4];
            let mut bytes = random.bytes(size);
            if let (b'f' | b'd', Some(first)) = (letter, bytes.first_mut()) {
                // The broker does not take floats that are no numbers.
                *first &= 0x3f;
            }
            Field::Other(letter, bytes)
        }
    }
}

fn property(random: &mut Random, message: &mut Message) {
    let text = (random.below(3) > 0).then(|| random.text());
    match random.below(8) {
        0 => message.content_type = text,
        1 => message.content_encoding = text,
        2 => message.correlation_id = text,
        3 => message.message_id = text,
        4 => message.kind = text,
        5 => message.app_id = text,
        6 => message.kind = Some(b"orders.cancel".to_vec()),
        _ => message.timestamp = Some(random.next()),
    }
}
