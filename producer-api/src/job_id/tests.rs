//! Tests of job ids.

use std::collections::HashSet;

use millrace_protocol::{ClientId, JobId};
use proptest::prelude::*;
use uuid::{Uuid, Variant};

use super::{JobIds, Sequence, minted_at};
use crate::idempotency::IdempotencyKey;

const SECRET: &str = "a secret of at least thirty-two characters";

fn client(name: &str) -> ClientId {
    ClientId::parse(name).expect("a valid client")
}

#[test]
fn an_id_is_ours_for_its_client_only() {
    let ids = JobIds::new(SECRET);
    let job = ids.mint(&client("shop"));
    assert!(ids.is_ours(job, &client("shop")));
    assert!(!ids.is_ours(job, &client("shop2")));
    assert!(JobIds::new(SECRET).is_ours(job, &client("shop")), "another process with the same secret");
    assert!(!JobIds::new("another secret of thirty-two characters").is_ours(job, &client("shop")));
}

#[test]
fn an_id_tells_its_time() {
    let job = JobIds::new(SECRET).stamp(1_750_000_000_123, 7, &client("shop"));
    let minted_at = minted_at(job).expect("it follows from no key");
    assert_eq!(minted_at.unix_timestamp_nanos(), 1_750_000_000_123_000_000);
}

/// Retries after an upgrade must find their jobs: another way to derive these ids would make second ones.
#[test]
fn a_keyed_job_has_the_same_id_in_every_process_and_every_release() {
    let key = |text| IdempotencyKey::parse(text).expect("a valid key");
    let keyed = |secret, name, text| JobIds::new(secret).keyed(&client(name), &key(text));
    let job = keyed(SECRET, "shop", "order-7");
    assert_eq!(job.to_string(), "ff5d3871-b38c-7ab1-8b9e-fbb45f2ca030");
    assert_eq!((job.0.get_version_num(), job.0.get_variant()), (7, Variant::RFC4122));
    assert!(JobIds::new(SECRET).is_ours(job, &client("shop")) && minted_at(job).is_none());
    let others = [
        keyed(SECRET, "shop", "order-8"),
        keyed(SECRET, "shop2", "order-7"),
        keyed("another secret of thirty-two characters", "shop", "order-7"),
        keyed(SECRET, "sho", "porder-7"),
    ];
    assert!(!others.contains(&job), "{others:?}");
}

#[test]
fn a_thousand_ids_of_one_moment_differ_and_rise() {
    let ids = JobIds::new(SECRET);
    let minted: Vec<JobId> = (0..1000).map(|_| ids.mint(&client("shop"))).collect();
    assert_eq!(minted.iter().collect::<HashSet<_>>().len(), 1000);
    // The tag is no part of the order: 96 bits before it are.
    assert!(minted.is_sorted_by_key(|job| job.0.as_u128() >> 32));
}

#[test]
fn a_clock_set_back_repeats_nothing() {
    let mut sequence = Sequence::default();
    let first = sequence.next(100_000, u64::MAX);
    assert_eq!(sequence.next(99_000, 0), (100_000, first.1 + 1), "a small step back keeps the time");
    assert_eq!(sequence.next(50_000, 0), (50_000, 0), "after a big one the new time counts");
    assert!(first.1 < 1 << 41, "room to count up: {}", first.1);
}

proptest! {
    #[test]
    fn every_id_is_a_valid_version_7(millis in 0..1_u64 << 48, number in 0..1_u64 << 42) {
        let ids = JobIds::new(SECRET);
        let job = ids.stamp(millis, number, &client("shop"));
        prop_assert_eq!(job.0.get_version_num(), 7);
        prop_assert_eq!(job.0.get_variant(), Variant::RFC4122);
        prop_assert!(ids.is_ours(job, &client("shop")));
    }

    #[test]
    fn different_numbers_give_different_ids(millis in 0..1_u64 << 48, a in 0..1_u64 << 42, b in 0..1_u64 << 42) {
        let ids = JobIds::new(SECRET);
        let stamp = |number| ids.stamp(millis, number, &client("shop")).0.as_u128() >> 32;
        prop_assert_eq!(stamp(a) == stamp(b), a == b);
    }

    #[test]
    fn one_flipped_bit_is_noticed(number in 0..1_u64 << 42, bit in 0..128_u32) {
        let ids = JobIds::new(SECRET);
        let job = ids.stamp(1_750_000_000_123, number, &client("shop"));
        let flipped = JobId(Uuid::from_u128(job.0.as_u128() ^ (1 << bit)));
        prop_assert!(!ids.is_ours(flipped, &client("shop")));
    }

    #[test]
    fn a_foreign_id_is_not_ours(id in any::<u128>()) {
        // One in 2^32 would be, by chance.
        prop_assert!(!JobIds::new(SECRET).is_ours(JobId(Uuid::from_u128(id)), &client("shop")));
    }
}
