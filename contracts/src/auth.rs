//! Messages of the auth domain: passwords, API keys and who may come in. They carry hashes, never secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::uuid;

use crate::contract::{Contract, Kind, Violation};
use crate::users::EXAMPLE_USER;
use crate::{ClientId, KeyHash, KeyId, KeyPrefix, PasswordHash, PersonName, Scope, UserId};

const EXAMPLE_KEY: KeyId = KeyId(uuid!("01980000-0000-7000-8000-0000000000a1"));
/// A key may carry this many scopes.
pub const MAX_SCOPES: usize = 32;

/// Asks to replace a user's password by the one with this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetPassword {
    /// Whose password.
    pub user_id: UserId,
    /// Made by the door, so that the password itself never travels.
    pub password_hash: PasswordHash,
}

impl Contract for SetPassword {
    const TYPE: &'static str = "auth.set-password";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGg";
        Self { user_id: EXAMPLE_USER, password_hash: PasswordHash::parse(hash).expect("a valid example") }
    }
}

/// Asks to let an upstream system in with the key that has this hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssueApiKey {
    /// Left out, the job's id becomes the key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The upstream system that will use the key.
    pub client_id: ClientId,
    /// What people call the key.
    pub name: PersonName,
    /// What the key may do: 1 to 32 scopes.
    #[schemars(length(min = 1, max = 32))]
    pub scopes: Vec<Scope>,
    /// From when on the key no longer works (RFC 3339); left out, it works until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<OffsetDateTime>,
    /// How people recognise the key. Made by the door.
    pub key_prefix: KeyPrefix,
    /// SHA-256 of the key. Made by the door.
    pub key_hash: KeyHash,
}

impl Contract for IssueApiKey {
    const TYPE: &'static str = "auth.issue-api-key";
    const KIND: Kind = Kind::Command;

    fn validate(&self) -> Result<(), Violation> {
        if (1..=MAX_SCOPES).contains(&self.scopes.len()) {
            Ok(())
        } else {
            Err(Violation::at("/scopes", "expected 1 to 32 scopes"))
        }
    }

    fn example() -> Self {
        Self {
            key_id: Some(EXAMPLE_KEY),
            client_id: example_client(),
            name: PersonName::parse("shop, production").expect("a valid example"),
            scopes: example_scopes(),
            expires_at: Some(time::macros::datetime!(2030-01-01 00:00 UTC)),
            key_prefix: example_prefix(),
            key_hash: KeyHash::parse("5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8")
                .expect("a valid example"),
        }
    }
}

/// Asks to let a key in no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokeApiKey {
    /// The key.
    pub key_id: KeyId,
}

impl Contract for RevokeApiKey {
    const TYPE: &'static str = "auth.revoke-api-key";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { key_id: EXAMPLE_KEY }
    }
}

/// A user's password is another one from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PasswordSet {
    /// Whose password.
    pub user_id: UserId,
}

impl Contract for PasswordSet {
    const TYPE: &'static str = "auth.password-set";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER }
    }
}

/// A key works from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyIssued {
    /// The key.
    pub key_id: KeyId,
    /// Who may use it.
    pub client_id: ClientId,
    /// How people recognise it.
    pub key_prefix: KeyPrefix,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

impl Contract for ApiKeyIssued {
    const TYPE: &'static str = "auth.api-key-issued";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self {
            key_id: EXAMPLE_KEY,
            client_id: example_client(),
            key_prefix: example_prefix(),
            scopes: example_scopes(),
        }
    }
}

/// A key works no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyRevoked {
    /// The key.
    pub key_id: KeyId,
}

impl Contract for ApiKeyRevoked {
    const TYPE: &'static str = "auth.api-key-revoked";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { key_id: EXAMPLE_KEY }
    }
}

/// A user can come in no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRevoked {
    /// Who.
    pub user_id: UserId,
}

impl Contract for AccessRevoked {
    const TYPE: &'static str = "auth.access-revoked";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER }
    }
}

/// A time as RFC 3339 writes it, with an error for whoever wrote it otherwise.
mod rfc3339 {
    use serde::{Deserializer, Serializer, de::Error};
    use time::{OffsetDateTime, serde::rfc3339::option};

    pub(super) fn serialize<S: Serializer>(time: &Option<OffsetDateTime>, out: S) -> Result<S::Ok, S::Error> {
        option::serialize(time, out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<OffsetDateTime>, D::Error> {
        let expected = |_| D::Error::custom("expected a time such as 2030-01-01T00:00:00Z (RFC 3339)");
        option::deserialize(input).map_err(expected)
    }
}

fn example_client() -> ClientId {
    ClientId::parse("shop").expect("a valid example")
}

fn example_prefix() -> KeyPrefix {
    KeyPrefix::parse("mr_5e8848").expect("a valid example")
}

fn example_scopes() -> Vec<Scope> {
    vec![Scope::parse("jobs:orders.*").expect("a valid example")]
}
