//! Tests of secrets: what is published, and what is not.

use std::collections::HashSet;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash as Phc;
use millrace_contracts::auth::{IssueApiKey, SetPassword};
use millrace_contracts::{ApiKey, catalog};
use millrace_protocol::Entry;
use millrace_protocol::{Contract, JobId, UnknownFields, decode};
use uuid::Uuid;

use super::{HASHER_DEADLINE, NewApiKey, NewPassword, Request, SealedBody, Secrets};
use crate::client::Client;
use crate::problem::Problem;

const PASSWORD: &str = "correct horse battery staple";

const SECRET: &str = "a secret of at least thirty-two characters";
const NEW_KEY: &str = r#"{"client_id":"shop","name":"shop, production","scopes":["jobs:orders.*"]}"#;

/// What an API with this secret publishes of data that a client with this scope has posted.
async fn sealed(
    secret: &str,
    scope: &str,
    keyed: Option<JobId>,
    command: &Entry,
    data: &str,
) -> Result<SealedBody, Problem> {
    let client = Client::with_scopes("admin", &[scope]);
    let request = Request { client: &client, data: data.as_bytes(), keyed, hasher_deadline: HASHER_DEADLINE };
    Secrets::new(1, secret).seal(command, request).await
}

async fn key_issued(secret: &str, keyed: Option<JobId>, data: &str) -> SealedBody {
    let command = catalog().find(IssueApiKey::TYPE).expect("a command");
    sealed(secret, "jobs:*", keyed, command, data).await.expect("valid data")
}

#[tokio::test]
async fn a_password_leaves_as_an_argon2id_hash_that_verifies() {
    let command = catalog().find(SetPassword::TYPE).expect("a command");
    let body = format!(r#"{{"user_id":"01980000-0000-7000-8000-00000000c0de","password":"{PASSWORD}"}}"#);
    let sealed = sealed(SECRET, "jobs:*", None, command, &body).await.expect("valid data");
    assert!(!String::from_utf8_lossy(&sealed.body).contains(PASSWORD));
    let sent: SetPassword = decode(&sealed.body, UnknownFields::Refuse).expect("a message of the contract");
    let hash = Phc::new(sent.password_hash.as_str()).expect("a PHC string");
    assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(Argon2::default().verify_password(PASSWORD.as_bytes(), &hash).is_ok());
    assert!(sealed.api_key.is_none());
}

#[tokio::test]
async fn a_fingerprint_of_a_secret_is_the_same_for_the_same_data_and_keyed_against_guessing() {
    let command = catalog().find(SetPassword::TYPE).expect("a command");
    let body = |password: &str| {
        format!(r#"{{"user_id":"01980000-0000-7000-8000-00000000c0de", "password":"{password}"}}"#)
    };
    let fingerprint = async |secret, password| {
        let sealed = sealed(secret, "jobs:*", None, command, &body(password)).await.expect("valid data");
        sealed.fingerprint
    };
    let first = fingerprint(SECRET, PASSWORD).await;
    assert_eq!(first, fingerprint(SECRET, PASSWORD).await);
    assert_ne!(first, fingerprint(SECRET, "another password").await);
    assert_ne!(first, fingerprint("another secret of thirty-two characters", PASSWORD).await);
}

#[tokio::test]
async fn a_new_key_leaves_as_its_hash_and_is_shown_in_the_answer_only() {
    let sealed = key_issued(SECRET, None, NEW_KEY).await;
    let key = sealed.api_key.expect("a new key");
    assert!(!String::from_utf8_lossy(&sealed.body).contains(key.reveal()));
    let sent: IssueApiKey = decode(&sealed.body, UnknownFields::Refuse).expect("a message of the contract");
    assert_eq!(sent.key_hash.as_str(), ApiKey::hash_of(key.reveal()).as_str());
    assert!(key.reveal().starts_with(sent.key_prefix.as_str()));
}

#[tokio::test]
async fn a_job_with_an_idempotency_key_is_shown_the_same_api_key_each_time() {
    let (job, other) = (JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2)));
    let shown = async |secret, keyed| {
        let sealed = key_issued(secret, keyed, NEW_KEY).await;
        sealed.api_key.expect("a new key").reveal().to_owned()
    };
    let first = shown(SECRET, Some(job)).await;
    assert_eq!(first, shown(SECRET, Some(job)).await);
    let others = [
        shown(SECRET, Some(other)).await,
        shown("another secret of thirty-two characters", Some(job)).await,
        shown(SECRET, None).await,
        shown(SECRET, None).await,
    ];
    let all: HashSet<_> = others.iter().chain([&first]).collect();
    assert_eq!(all.len(), 5, "all others are new");
    let body = |scopes: &str| format!(r#"{{"client_id":"shop","name":"shop","scopes":[{scopes}]}}"#);
    let fingerprint = async |scopes| key_issued(SECRET, Some(job), &body(scopes)).await.fingerprint;
    let one = fingerprint(r#""jobs:orders.*""#).await;
    assert_eq!(one, fingerprint(r#" "jobs:orders.*" "#).await, "the key is no part of it, nor are spaces");
    assert_ne!(one, fingerprint(r#""jobs:users.*""#).await);
}

#[tokio::test]
async fn nobody_hands_out_more_than_they_may_do_themselves() {
    let command = catalog().find(IssueApiKey::TYPE).expect("a command");
    for (own, asked, allowed) in [
        ("jobs:*", "jobs:*", true),
        ("jobs:*", "jobs:orders.place", true),
        ("jobs:auth.*", "jobs:auth.*", true),
        ("jobs:auth.*", "jobs:auth.issue-api-key", true),
        ("jobs:auth.*", "jobs:*", false),
        ("jobs:auth.*", "jobs:orders.place", false),
        ("jobs:auth.issue-api-key", "jobs:auth.*", false),
    ] {
        let data = NEW_KEY.replace("jobs:orders.*", asked);
        let outcome = sealed(SECRET, own, None, command, &data).await;
        match outcome {
            Ok(_) => assert!(allowed, "{own} must not grant {asked}"),
            Err(Problem::ScopeExceeded { .. }) => assert!(!allowed, "{own} may grant {asked}"),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn secrets_do_not_show_themselves() {
    let shown = format!("{:?}", NewPassword::example());
    assert!(!shown.contains("horse"), "{shown}");
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
