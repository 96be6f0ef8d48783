//! Messages of the auth domain: passwords and API keys. They carry hashes, never secrets.

use millrace_protocol::{ClientId, Contract, DomainName, Kind, Violation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::uuid;

use crate::users::EXAMPLE_USER;
use crate::{KeyHash, KeyId, KeyPrefix, PasswordHash, PersonName, Scope, UserId};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("auth");

const EXAMPLE_KEY: KeyId = KeyId(uuid!("01980000-0000-7000-8000-0000000000a1"));
/// The most scopes that an API key may have.
pub const MAX_SCOPES: usize = 32;
/// The most uses that one [`NoteKeyUse`] may report.
pub const MAX_USES: usize = 1000;

/// Set a user's password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetPassword {
    /// Whose password.
    pub user_id: UserId,
    /// Argon2id hash of the new password. The API computes it, so the password itself never enters a queue.
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

/// Issue an API key to an upstream system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssueApiKey {
    /// The key's id; without it, the job's id becomes the key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The upstream system that will use the key.
    pub client_id: ClientId,
    /// What people call the key.
    pub name: PersonName,
    /// What the key may do: 1 to 32 scopes, such as `jobs:orders.*`.
    #[schemars(length(min = 1, max = 32))]
    pub scopes: Vec<Scope>,
    /// When the key expires (RFC 3339); without it, the key is valid until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<OffsetDateTime>,
    /// The first characters of the key, by which people recognise it. The API computes them.
    pub key_prefix: KeyPrefix,
    /// SHA-256 of the key. The API computes it, so the key itself never enters a queue.
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

/// Revoke an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevokeApiKey {
    /// The key to revoke.
    pub key_id: KeyId,
}

impl Contract for RevokeApiKey {
    const TYPE: &'static str = "auth.revoke-api-key";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { key_id: EXAMPLE_KEY }
    }
}

/// Record when API keys were last used. The API sends it, with the last use of each key since the message before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoteKeyUse {
    /// The last use of each key: 1 to 1000.
    #[schemars(length(min = 1, max = 1000))]
    pub uses: Vec<KeyUse>,
}

/// The last use of one API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyUse {
    /// The key that was used.
    pub key_id: KeyId,
    /// When it was used (RFC 3339).
    #[serde(with = "rfc3339")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub used_at: OffsetDateTime,
}

impl Contract for NoteKeyUse {
    const TYPE: &'static str = "auth.note-key-use";
    const KIND: Kind = Kind::InternalCommand;

    fn validate(&self) -> Result<(), Violation> {
        if (1..=MAX_USES).contains(&self.uses.len()) {
            Ok(())
        } else {
            Err(Violation::at("/uses", "expected 1 to 1000 uses"))
        }
    }

    fn example() -> Self {
        let used_at = time::macros::datetime!(2026-01-01 12:00 UTC);
        Self { uses: vec![KeyUse { key_id: EXAMPLE_KEY, used_at }] }
    }
}

/// A user's password was set.
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

/// An API key was issued and is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyIssued {
    /// The new key.
    pub key_id: KeyId,
    /// The upstream system that uses the key.
    pub client_id: ClientId,
    /// The first characters of the key, by which people recognise it.
    pub key_prefix: KeyPrefix,
    /// What the key may do.
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

/// An API key was revoked and is no longer valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiKeyRevoked {
    /// The revoked key.
    pub key_id: KeyId,
}

impl Contract for ApiKeyRevoked {
    const TYPE: &'static str = "auth.api-key-revoked";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { key_id: EXAMPLE_KEY }
    }
}

/// A user's access was revoked, because the account was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessRevoked {
    /// The user who has no access any more.
    pub user_id: UserId,
}

impl Contract for AccessRevoked {
    const TYPE: &'static str = "auth.access-revoked";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { user_id: EXAMPLE_USER }
    }
}

/// A time in RFC 3339 format; the error shows what was expected.
mod rfc3339 {
    use serde::{Deserializer, Serializer, de::Error};
    use time::{OffsetDateTime, serde::rfc3339};

    const EXPECTED: &str = "expected a time such as 2030-01-01T00:00:00Z (RFC 3339)";

    pub(super) fn serialize<S: Serializer>(time: &OffsetDateTime, out: S) -> Result<S::Ok, S::Error> {
        rfc3339::serialize(time, out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<OffsetDateTime, D::Error> {
        rfc3339::deserialize(input).map_err(|_| D::Error::custom(EXPECTED))
    }

    /// A time that may be left out.
    pub(super) mod option {
        use super::{Deserializer, EXPECTED, Error, OffsetDateTime, Serializer, rfc3339};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<OffsetDateTime>,
            out: S,
        ) -> Result<S::Ok, S::Error> {
            rfc3339::option::serialize(time, out)
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            input: D,
        ) -> Result<Option<OffsetDateTime>, D::Error> {
            rfc3339::option::deserialize(input).map_err(|_| D::Error::custom(EXPECTED))
        }
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
