//! Job ids that prove themselves: a UUIDv7 whose last 32 bits are a keyed tag over the rest and the client.
//!
//! So the door knows an id that it gave to this client from any other, without a table: it can say "accepted" for a job
//! that no worker has touched yet, and 404 for everything else.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_contracts::{ClientId, JobId};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::idempotency::IdempotencyKey;

#[cfg(test)]
mod tests;

/// Names the use, so that the same secret used elsewhere gives an unrelated key (BLAKE3's key derivation).
const CONTEXT: &str = "millrace 2025 producer-api job id tag";
/// A key that names jobs is told apart from the tag's.
const NAMING: &str = "millrace 2026 producer-api job ids of idempotency keys";
/// Ids that follow from a client's own key carry no time. They begin with this byte, which no time reaches before the year
/// 10889, and lie in a partition of the ledger of their own.
const NAMED: u8 = 0xff;
/// Where the tag begins; before it stand the time, version, variant and the sequence.
const TAG: usize = 12;
/// Version and variant take 6 of the 48 bits between the time and the tag.
const SEQUENCE_BITS: u32 = 42;
/// A clock that is set back by less than this is waited out; after a bigger step its new time counts.
const STEP_BACK_MS: u64 = 10_000;

/// Makes job ids, and recognises its own.
#[derive(Debug)]
pub(crate) struct JobIds {
    key: [u8; 32],
    naming: [u8; 32],
    sequence: Mutex<Sequence>,
}

impl JobIds {
    /// Every door with the same secret recognises the ids of the others.
    pub(crate) fn new(secret: &str) -> Self {
        let key = |context| blake3::derive_key(context, secret.as_bytes());
        Self { key: key(CONTEXT), naming: key(NAMING), sequence: Mutex::default() }
    }

    /// A new id for this client's next job.
    pub(crate) fn mint(&self, client: &ClientId) -> JobId {
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("the kernel always gives random bytes once it has booted");
        let mut sequence = self.sequence.lock().unwrap_or_else(PoisonError::into_inner);
        let (millis, number) = sequence.next(now_ms, u64::from_le_bytes(random));
        drop(sequence);
        self.stamp(millis, number, client)
    }

    /// The id of the job that this client calls by this key: the same at every door and at any time.
    pub(crate) fn named(&self, client: &ClientId, key: &IdempotencyKey) -> JobId {
        let mut hasher = blake3::Hasher::new_keyed(&self.naming);
        // No client's name has a NUL in it, so no two pairs look alike.
        hasher.update(client.as_str().as_bytes()).update(&[0]).update(key.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        bytes[0] = NAMED;
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        self.tagged(bytes, client)
    }

    /// Whether this id was given to this client by a door with our secret.
    pub(crate) fn is_ours(&self, job_id: JobId, client: &ClientId) -> bool {
        let bytes = job_id.0.as_bytes();
        let expected = self.tag(&bytes[..TAG], client);
        job_id.0.get_version_num() == 7 && bool::from(bytes[TAG..].ct_eq(&expected))
    }

    /// RFC 9562 §5.7: 48 bits of time, 4 of version, 12 free, 2 of variant, 62 free, of which the last 32 are the tag.
    fn stamp(&self, millis: u64, number: u64, client: &ClientId) -> JobId {
        let high = (millis << 16) | 0x7000 | (number >> 30 & 0x0fff);
        let low = 0x8000_0000 | (number & 0x3fff_ffff);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&high.to_be_bytes());
        bytes[8..TAG].copy_from_slice(&low.to_be_bytes()[4..]);
        self.tagged(bytes, client)
    }

    fn tagged(&self, mut bytes: [u8; 16], client: &ClientId) -> JobId {
        let tag = self.tag(&bytes[..TAG], client);
        bytes[TAG..].copy_from_slice(&tag);
        JobId(Uuid::from_bytes(bytes))
    }

    fn tag(&self, rest: &[u8], client: &ClientId) -> [u8; 4] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(rest).update(client.as_str().as_bytes());
        let mut tag = [0; 4];
        tag.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
        tag
    }
}

/// When the id was made, as it says itself; one that follows from a client's own key does not.
pub(crate) fn minted_at(job_id: JobId) -> Option<OffsetDateTime> {
    if job_id.0.as_bytes()[0] == NAMED {
        return None;
    }
    let (high, _) = job_id.0.as_u64_pair();
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(high >> 16) * 1_000_000).ok()
}

/// What makes ids of the same millisecond differ.
///
/// Two equal ids would make one job swallow the other, and 42 random bits alone would let that happen every few hundred
/// days at 20,000 jobs a second. So one process counts up from a random start and never repeats itself; only ids
/// of several doors in the same millisecond rely on chance.
#[derive(Debug, Default)]
struct Sequence {
    millis: u64,
    number: u64,
}

impl Sequence {
    fn next(&mut self, now_ms: u64, random: u64) -> (u64, u64) {
        let set_back = now_ms.saturating_add(STEP_BACK_MS) < self.millis;
        if now_ms > self.millis || set_back {
            // The highest bit stays free, so that counting up can't overflow within a millisecond.
            *self = Self { millis: now_ms, number: random >> (64 - SEQUENCE_BITS + 1) };
        } else {
            self.number += 1;
        }
        (self.millis, self.number)
    }
}
