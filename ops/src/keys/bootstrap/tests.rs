//! The command that a bootstrap sends, and its errors.

use clap::Parser;
use millrace_protocol::{UnknownFields, decode};

use super::*;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn given(flags: &[&str]) -> Result<Bootstrap, String> {
    let own = ["ops", "--amqp-url=amqp://localhost", "--database-url=postgres://localhost", "--client=admin"];
    let flags = own.iter().chain(&["--name=first key"]).chain(flags).copied();
    Flags::try_parse_from(flags).map(|flags| flags.bootstrap).map_err(|error| error.to_string())
}

#[test]
fn two_keys_are_never_the_same() {
    assert!(new_key() != new_key());
}

#[test]
fn the_command_carries_a_hash_and_never_the_key() {
    let key = new_key();
    let issue = given(&["--scopes=jobs:orders.*,jobs:auth.issue-api-key", "--expires-in-days=7"])
        .unwrap()
        .command(&key);
    assert_eq!(issue.validate(), Ok(()));
    assert_eq!(issue.scopes.len(), 2);
    let week = issue.expires_at.unwrap() - OffsetDateTime::now_utc();
    assert_eq!((week + time::Duration::MINUTE).whole_days(), 7);
    let body = serde_json::to_vec(&issue).unwrap();
    let text = String::from_utf8(body.clone()).unwrap();
    assert!(text.contains(key.hash().as_str()) && !text.contains(key.reveal()));
    assert_eq!(decode::<IssueApiKey>(&body, UnknownFields::Refuse), Ok(issue));
}

#[test]
fn by_default_a_key_has_every_scope_and_never_expires() {
    let issue = given(&[]).unwrap().command(&new_key());
    assert_eq!(issue.scopes, [Scope::parse("jobs:*").unwrap()]);
    assert_eq!(issue.expires_at, None);
}

#[test]
fn wrong_scopes_are_refused_before_anything_is_sent() {
    assert!(given(&["--scopes=jobs:*,everything"]).err().unwrap().contains("jobs:orders.*"));
    let many = given(&["--scopes", &vec!["jobs:*"; 33].join(",")]).unwrap().command(&new_key());
    assert!(many.validate().is_err());
}

#[test]
fn every_end_without_a_key_says_so() {
    let said = |fatal: Fatal| fatal.to_string();
    assert_eq!(
        said(not_issued("refused", Some("There is already an API key 7."))),
        "No key was issued: the auth worker refuses it: There is already an API key 7"
    );
    assert_eq!(
        said(not_issued("dead", None)),
        "No key was issued: the command is a dead letter: no reason given. `ops dead list auth` shows it"
    );
    assert!(
        said(unreachable(&ConnectionStatus::Connecting))
            .starts_with("No key was issued: not connected to the broker.")
    );
    let issue = IssueApiKey::example();
    let unknown = unpublished(&PublishError::Unknown("waited 10 ms".to_owned()), &issue);
    assert!(said(unknown).contains("if the unknown key mr_5e8848 appears"));
    assert!(said(unpublished(&PublishError::Unroutable, &issue)).contains("ops topology apply"));
    let late = given(&["--bootstrap-deadline-ms=100"]).unwrap().too_late(&new_key(), None);
    assert!(said(late).starts_with(
        "The auth worker has not issued the key within 100 ms: check that it runs. The command"
    ));
}
