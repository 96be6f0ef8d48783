//! Tests of hashing several passwords at once.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash as Phc;
use futures_util::future::join_all;

use super::Hashers;
use crate::secrets::HASHER_DEADLINE;

#[tokio::test]
async fn memory_is_used_again_and_leaves_nothing_in_the_next_hash() {
    let hashers = Hashers::new(2);
    let passwords: Vec<_> = (0..6).map(|number| format!("password {number}")).collect();
    let hashes =
        join_all(passwords.iter().map(|password| hashers.hash(password.clone(), HASHER_DEADLINE))).await;
    for (password, hash) in passwords.iter().zip(hashes) {
        let hash = hash.expect("a free hasher");
        let hash = Phc::new(hash.as_str()).expect("a PHC string");
        assert!(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok(), "{password}");
    }
    let blocks = hashers.memory.lock().expect("nobody has panicked");
    assert!((1..=2).contains(&blocks.len()), "two hash at once, in two pieces of memory: {}", blocks.len());
}
