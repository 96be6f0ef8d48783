//! Bytes spoilt at random, whatever they are the bytes of.

use millrace_testkit::random::Random;

const TOKENS: [&[u8]; 10] =
    [b"null", b"-1", b"1e400", b"\"\"", b"[]", b"{}", b"\\u0000", b"\xff", b"true", b","];
/// Overlong and lone halves of UTF-8, NUL, and a byte order mark.
const INVALID: [&[u8]; 4] = [&[0xff, 0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0], &[0xef, 0xbb, 0xbf]];

pub fn byte(random: &mut Random) -> u8 {
    random.number().to_be_bytes()[0]
}

pub fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| byte(random)).collect()
}

/// One change somewhere, of a few bytes or of all that follow.
pub fn spoil(random: &mut Random, body: &mut Vec<u8>) {
    let at = random.below(body.len());
    match random.below(8) {
        0 if at < body.len() => body[at] ^= 1 << random.below(8),
        1 if at < body.len() => body[at] = byte(random),
        2 => body.truncate(at),
        3 => {
            let length = random.below(16);
            let noise = bytes(random, length);
            body.splice(at..at, noise);
        }
        4 => {
            let piece = body[at..].to_vec();
            body.splice(at..at, piece);
        }
        5 => {
            let end = (at + random.below(12)).min(body.len());
            body.splice(at..end, random.pick(&TOKENS).iter().copied());
        }
        6 => drop(body.splice(at..at, random.pick(&INVALID).iter().copied())),
        _ => {
            let end = (at + random.below(40)).min(body.len());
            body.drain(at..end);
        }
    }
}
