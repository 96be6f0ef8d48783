//! Job ids that prove themselves: a UUIDv7 whose last 32 bits are a keyed tag over the rest and the client.
//!
//! So the API tells an id that it gave to this client from any other, without a table: it can answer "accepted" for a job
//! that no worker has received yet, and 404 for everything else.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_protocol::{ClientId, JobId};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::idempotency::IdempotencyKey;

#[cfg(test)]
mod tests;

/// Context of the key that makes tags, so that the same secret used elsewhere gives an unrelated key (BLAKE3's key
/// derivation).
const TAGS: &str = "millrace 2025 producer-api job id tag";
/// Context of the key that makes ids out of idempotency keys.
const KEYED_IDS: &str = "millrace 2026 producer-api job ids of idempotency keys";
/// An id that follows from an idempotency key has no time. It begins with this byte, which no time reaches before the year
/// 10889, and its row lies in a partition of its own.
const KEYED: u8 = 0xff;
/// The byte at which the tag begins; before it are time, version, variant and sequence number.
const TAG: usize = 12;
/// Version and variant take 6 of the 48 bits between the time and the tag.
const SEQUENCE_BITS: u32 = 42;
/// While the clock is set back by less than this, ids keep their time and count up; after a bigger step they take the new
/// time.
const STEP_BACK_MS: u64 = 10_000;

/// Makes job ids, and recognises those that it made.
#[derive(Debug)]
pub(crate) struct JobIds {
    tags: [u8; 32],
    keyed_ids: [u8; 32],
    sequence: Mutex<Sequence>,
}

impl JobIds {
    /// Processes with the same secret recognise each other's ids.
    pub(crate) fn new(secret: &str) -> Self {
        let key = |context| blake3::derive_key(context, secret.as_bytes());
        Self { tags: key(TAGS), keyed_ids: key(KEYED_IDS), sequence: Mutex::default() }
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

    /// The id of this client's job with this idempotency key: the same in every process and at any time.
    pub(crate) fn keyed(&self, client: &ClientId, key: &IdempotencyKey) -> JobId {
        let mut hasher = blake3::Hasher::new_keyed(&self.keyed_ids);
        // No client's name contains NUL, so no two pairs give the same bytes.
        hasher.update(client.as_str().as_bytes()).update(&[0]).update(key.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        bytes[0] = KEYED;
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        self.tagged(bytes, client)
    }

    /// Whether a process with this secret gave this id to this client.
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
        let mut hasher = blake3::Hasher::new_keyed(&self.tags);
        hasher.update(rest).update(client.as_str().as_bytes());
        let mut tag = [0; 4];
        tag.copy_from_slice(&hasher.finalize().as_bytes()[..4]);
        tag
    }
}

/// When the id was made. An id that follows from an idempotency key does not say.
pub(crate) fn minted_at(job_id: JobId) -> Option<OffsetDateTime> {
    if job_id.0.as_bytes()[0] == KEYED {
        return None;
    }
    let (high, _) = job_id.0.as_u64_pair();
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(high >> 16) * 1_000_000).ok()
}

/// What makes ids of the same millisecond differ.
///
/// Of two jobs with the same id, one would be taken for a copy of the other, and with 42 random bits that would happen every
/// few hundred days at 20,000 jobs a second. So one process counts up from a random start and never repeats itself; only the
/// ids of several processes in the same millisecond rely on chance.
#[derive(Debug, Default)]
struct Sequence {
    millis: u64,
    number: u64,
}

impl Sequence {
    fn next(&mut self, now_ms: u64, random: u64) -> (u64, u64) {
        let set_back = now_ms.saturating_add(STEP_BACK_MS) < self.millis;
        if now_ms > self.millis || set_back {
            // The highest bit stays free, so counting up can't overflow within a millisecond.
            *self = Self { millis: now_ms, number: random >> (64 - SEQUENCE_BITS + 1) };
        } else {
            self.number += 1;
        }
        (self.millis, self.number)
    }
}
