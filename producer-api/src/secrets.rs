//! Secrets never enter a queue: a password is replaced by its argon2id hash, a new API key by its SHA-256.

mod hashers;

use std::fmt;
use std::time::Duration;

use millrace_contracts::auth::{IssueApiKey, MAX_SCOPES, SetPassword};
use millrace_contracts::{ApiKey, KeyId, PersonName, Scope, UserId};
use millrace_protocol::Entry;
use millrace_protocol::text::InvalidText;
use millrace_protocol::{ClientId, Contract, Fingerprint, JobId, Kind, UnknownFields, Violation, decode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::client::Client;
use crate::problem::Problem;
use hashers::Hashers;

#[cfg(test)]
mod tests;

/// How long a single request waits for a free hasher.
pub(crate) const HASHER_DEADLINE: Duration = Duration::from_secs(2);
/// Contexts, so that the same secret used for something else gives unrelated keys (BLAKE3's key derivation).
const FINGERPRINTS: &str = "millrace 2026 producer-api fingerprints of bodies with secrets";
const API_KEYS: &str = "millrace 2026 producer-api API keys of jobs with idempotency keys";

/// A command's data as it was posted, and what its secrets depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub client: &'a Client,
    pub data: &'a [u8],
    /// The job, if it has an idempotency key: when it is posted again, its answer must show the same API key.
    pub keyed: Option<JobId>,
    /// How long it may wait for a free hasher.
    pub hasher_deadline: Duration,
}

/// A body without secrets, as it is published.
#[derive(Debug)]
pub(crate) struct SealedBody {
    pub body: Vec<u8>,
    /// The same for the same data, secrets included.
    pub fingerprint: Fingerprint,
    /// The new API key, which only the answer may show.
    pub api_key: Option<ApiKey>,
}

/// Takes the secrets out of commands. Hashing is bounded, since each hash takes 19 MiB and a processor.
#[derive(Debug)]
pub(crate) struct Secrets {
    hashers: Hashers,
    fingerprints: [u8; 32],
    api_keys: [u8; 32],
}

impl Secrets {
    /// Hashes at most this many passwords at once. Fingerprints and keys follow from `secret`, so they are the same in every
    /// process that has it.
    pub fn new(hashers: usize, secret: &str) -> Self {
        Self {
            hashers: Hashers::new(hashers),
            fingerprints: blake3::derive_key(FINGERPRINTS, secret.as_bytes()),
            api_keys: blake3::derive_key(API_KEYS, secret.as_bytes()),
        }
    }

    /// Checks a command's data as it was posted, and returns it as it is published.
    pub async fn seal(&self, command: &Entry, request: Request<'_>) -> Result<SealedBody, Problem> {
        match command.message_type {
            SetPassword::TYPE => self.password(request).await,
            IssueApiKey::TYPE => self.api_key(request),
            _ => {
                let body = command.check(request.data)?;
                Ok(SealedBody { fingerprint: Fingerprint::of(&body), body, api_key: None })
            }
        }
    }

    async fn password(&self, request: Request<'_>) -> Result<SealedBody, Problem> {
        let NewPassword { user_id, password } = decode(request.data, UnknownFields::Refuse)?;
        let identity = [user_id.0.as_bytes(), password.0.as_bytes()].concat();
        let fingerprint = Fingerprint::keyed(&self.fingerprints, &identity);
        let password_hash = self.hashers.hash(password.0, request.hasher_deadline).await?;
        Ok(SealedBody { body: written(&SetPassword { user_id, password_hash }), fingerprint, api_key: None })
    }

    fn api_key(&self, request: Request<'_>) -> Result<SealedBody, Problem> {
        let new: NewApiKey = decode(request.data, UnknownFields::Refuse)?;
        if let Some(scope) = new.scopes.iter().find(|scope| !request.client.may_grant(scope)) {
            return Err(Problem::ScopeExceeded { scope: scope.clone() });
        }
        let fingerprint = Fingerprint::of(&written(&new));
        let key = ApiKey::of(match request.keyed {
            Some(job) => *blake3::keyed_hash(&self.api_keys, job.0.as_bytes()).as_bytes(),
            None => random_bits(),
        });
        Ok(SealedBody { body: written(&new.with(&key)), fingerprint, api_key: Some(key) })
    }
}

fn written(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("messages are plain data")
}

fn random_bits() -> [u8; 32] {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).expect("the kernel always gives random bytes once it has booted");
    bits
}

/// A command's data as it is posted, for the OpenAPI document: its schema and an example.
pub(crate) fn posted(command: &Entry, generator: &mut SchemaGenerator) -> (Schema, Value) {
    match command.message_type {
        SetPassword::TYPE => {
            let example = json!({"user_id": SetPassword::example().user_id, "password": "correct horse battery staple"});
            (millrace_protocol::component::<NewPassword>(generator), example)
        }
        IssueApiKey::TYPE => {
            let example = serde_json::to_value(NewApiKey::example()).expect("examples are plain data");
            (millrace_protocol::component::<NewApiKey>(generator), example)
        }
        _ => (command.component(generator), command.example()),
    }
}

/// A password of 8 to 128 characters, any characters (NIST SP 800-63B §5.1.1.2). It is never logged and never sent.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
struct Password(String);

impl TryFrom<String> for Password {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        if (8..=128).contains(&text.chars().count()) {
            Ok(Self(text))
        } else {
            Err(InvalidText("expected 8 to 128 characters"))
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A contract can be serialized. A password can't: dots stand in its place.
impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("…")
    }
}

impl JsonSchema for Password {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 8, "maxLength": 128, "writeOnly": true})
    }
}

/// Set a user's password.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct NewPassword {
    /// Whose password.
    user_id: UserId,
    /// The new password. The API hashes it; the password itself is neither stored nor sent on.
    password: Password,
}

impl Contract for NewPassword {
    const TYPE: &'static str = SetPassword::TYPE;
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        let password = Password("correct horse battery staple".to_owned());
        Self { user_id: SetPassword::example().user_id, password }
    }
}

/// Issue an API key to an upstream system. Only the answer to this request shows the key.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct NewApiKey {
    /// The key's id; without it, the job's id becomes the key's id.
    #[serde(default)]
    key_id: Option<KeyId>,
    /// The upstream system that will use the key. It sees its own jobs alone.
    client_id: ClientId,
    /// What people call the key.
    name: PersonName,
    /// What the key may do: 1 to 32 scopes, such as `jobs:orders.*`. A key can grant no scope that it does not have.
    #[schemars(length(min = 1, max = 32))]
    scopes: Vec<Scope>,
    /// When the key expires (RFC 3339); without it, the key is valid until it is revoked.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    expires_at: Option<OffsetDateTime>,
}

impl NewApiKey {
    fn with(self, key: &ApiKey) -> IssueApiKey {
        let Self { key_id, client_id, name, scopes, expires_at } = self;
        IssueApiKey {
            key_id,
            client_id,
            name,
            scopes,
            expires_at,
            key_prefix: key.prefix(),
            key_hash: key.hash(),
        }
    }
}

impl Contract for NewApiKey {
    const TYPE: &'static str = IssueApiKey::TYPE;
    const KIND: Kind = Kind::Command;

    fn validate(&self) -> Result<(), Violation> {
        if (1..=MAX_SCOPES).contains(&self.scopes.len()) {
            Ok(())
        } else {
            Err(Violation::at("/scopes", format!("expected 1 to {MAX_SCOPES} scopes")))
        }
    }

    fn example() -> Self {
        let IssueApiKey { key_id, client_id, name, scopes, expires_at, .. } = IssueApiKey::example();
        Self { key_id, client_id, name, scopes, expires_at }
    }
}
