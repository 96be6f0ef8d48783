//! Tests of secrets: what leaves the door, and what does not.

use std::collections::HashSet;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash as Phc;
use millrace_contracts::auth::{IssueApiKey, SetPassword};
use millrace_contracts::{Contract, UnknownFields, catalog, decode};
use sha2::{Digest, Sha256};

use super::{NewApiKey, NewKey, NewPassword, Secrets};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn a_password_leaves_as_an_argon2id_hash_that_verifies() {
    let command = catalog::find(SetPassword::TYPE).expect("a command");
    let body = format!(r#"{{"user_id":"01980000-0000-7000-8000-00000000c0de","password":"{PASSWORD}"}}"#);
    let wire = Secrets::new(1).keep_out(command, body.as_bytes()).await.expect("valid data");
    assert!(!String::from_utf8_lossy(&wire.body).contains(PASSWORD));
    let sent: SetPassword = decode(&wire.body, UnknownFields::Refuse).expect("a message of the contract");
    let hash = Phc::new(sent.password_hash.as_str()).expect("a PHC string");
    assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(Argon2::default().verify_password(PASSWORD.as_bytes(), &hash).is_ok());
    assert!(wire.key.is_none());
}

#[tokio::test]
async fn a_new_key_leaves_as_its_hash_and_is_shown_in_the_answer_only() {
    let command = catalog::find(IssueApiKey::TYPE).expect("a command");
    let body = br#"{"client_id":"shop","name":"shop, production","scopes":["jobs:orders.*"]}"#;
    let wire = Secrets::new(1).keep_out(command, body).await.expect("valid data");
    let key = wire.key.expect("a new key").0;
    assert!(
        key.starts_with("mr_")
            && key.len() == 46
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    );
    assert!(!String::from_utf8_lossy(&wire.body).contains(&key));
    let sent: IssueApiKey = decode(&wire.body, UnknownFields::Refuse).expect("a message of the contract");
    let hex: String = Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent.key_hash.as_str(), hex);
    assert!(key.starts_with(sent.key_prefix.as_str()));
}

#[test]
fn keys_differ_and_use_the_whole_alphabet() {
    let keys: HashSet<String> = (0..200).map(|_| NewKey::mint().0).collect();
    assert_eq!(keys.len(), 200);
    let used: HashSet<char> = keys.iter().flat_map(|key| key[3..].chars()).collect();
    assert_eq!(used.len(), 62);
}

#[test]
fn secrets_do_not_show_themselves() {
    let shown = format!("{:?} {:?}", NewPassword::example(), NewKey::mint());
    assert!(!shown.contains("horse") && !shown.contains("mr_"), "{shown}");
    let written = serde_json::to_string(&NewPassword::example()).expect("plain data");
    assert!(!written.contains("horse"), "{written}");
}

#[test]
fn what_is_posted_differs_from_what_is_sent_in_the_secret_alone() {
    let fields = |value: serde_json::Value| -> HashSet<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let posted = fields(serde_json::to_value(NewApiKey::example()).expect("plain data"));
    let sent = fields(serde_json::to_value(IssueApiKey::example()).expect("plain data"));
    let made: HashSet<&str> = sent.difference(&posted).map(String::as_str).collect();
    assert_eq!(made, HashSet::from(["key_hash", "key_prefix"]));
    assert!(posted.is_subset(&sent));
}
