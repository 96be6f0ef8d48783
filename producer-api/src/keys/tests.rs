//! Tests of API keys: how they must be presented, what scopes allow, and when a key is valid.

use axum::http::{HeaderMap, HeaderValue, header};
use millrace_contracts::{KeyId, catalog};
use time::Duration;
use time::macros::datetime;
use uuid::Uuid;

use super::presented;
use super::store::KnownKey;
use crate::client::Client;

fn headers(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_key_is_a_bearer_token() {
    assert_eq!(presented(&headers(&["Bearer abc"])).ok(), Some("abc"));
    assert_eq!(presented(&headers(&["bearer   abc "])).ok(), Some("abc"));
    for missing in [&[][..], &["Bearer"], &["Basic abc"], &["abc"], &["Bearer a", "Bearer a"]] {
        assert!(presented(&headers(missing)).is_err(), "{missing:?}");
    }
}

#[test]
fn a_client_may_post_what_its_scopes_say_and_nothing_else() {
    let commands = || catalog().commands().map(|entry| entry.message_type);
    let may = |scopes: &[&str]| {
        let client = Client::with_scopes("shop", scopes);
        commands().filter(|command| client.may(command)).collect::<Vec<_>>()
    };
    assert_eq!(may(&["jobs:*"]), commands().collect::<Vec<_>>());
    assert_eq!(may(&["jobs:orders.*"]), ["orders.place", "orders.cancel"]);
    assert_eq!(may(&["jobs:orders.place", "jobs:payments.refund"]), ["orders.place", "payments.refund"]);
    assert_eq!(may(&["jobs:nothing.*"]), [""; 0]);
}

#[test]
fn a_key_is_valid_until_it_expires_or_is_revoked() {
    let expires_at = datetime!(2030-01-01 00:00 UTC);
    let key = KnownKey {
        key_id: KeyId(Uuid::nil()),
        client: Client::with_scopes("shop", &["jobs:*"]),
        expires_at: Some(expires_at),
        revoked: false,
    };
    assert!(key.is_valid_at(expires_at - Duration::nanoseconds(1)));
    assert!(!key.is_valid_at(expires_at));
    assert!(KnownKey { expires_at: None, ..key.clone() }.is_valid_at(expires_at));
    assert!(!KnownKey { revoked: true, expires_at: None, ..key }.is_valid_at(expires_at));
}
