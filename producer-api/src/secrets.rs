//! Secrets never enter a queue: a password leaves here as its argon2id hash, a new API key as its SHA-256.

mod hashers;

use std::fmt;
use std::time::Duration;

use millrace_contracts::auth::{IssueApiKey, MAX_SCOPES, SetPassword};
use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{
    ApiKey, ClientId, Contract, Fingerprint, InvalidText, JobId, KeyId, Kind, PersonName, Scope,
    UnknownFields, UserId, Violation, decode,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::keys::Client;
use crate::problem::Problem;
use hashers::Hashers;

#[cfg(test)]
mod tests;

/// How long a request waits for its turn to hash.
pub(crate) const TURN_DEADLINE: Duration = Duration::from_secs(2);
/// Name the uses, so that the same secret used for something else gives unrelated keys (BLAKE3's key derivation).
const FINGERPRINTS: &str = "millrace 2026 producer-api fingerprints of bodies with secrets";
const API_KEYS: &str = "millrace 2026 producer-api API keys of jobs with idempotency keys";

/// A command's data as it was posted, and what its secrets depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub client: &'a Client,
    pub data: &'a [u8],
    /// The job, where the client has named it: posted again, it must be shown the same API key.
    pub named: Option<JobId>,
    /// How long it may wait for its turn to hash.
    pub turn: Duration,
}

/// A body as it goes onto the wire, by what it is known again, and the secret that only the answer may show.
#[derive(Debug)]
pub(crate) struct Wire {
    pub body: Vec<u8>,
    pub fingerprint: Fingerprint,
    pub key: Option<ApiKey>,
}

/// Takes the secrets out of commands; hashing is bounded, since each hash takes its memory and a processor.
#[derive(Debug)]
pub(crate) struct Secrets {
    hashers: Hashers,
    fingerprints: [u8; 32],
    api_keys: [u8; 32],
}

impl Secrets {
    /// At most this many passwords are hashed at once. What must be the same at every door follows from `secret`.
    pub fn new(hashers: usize, secret: &str) -> Self {
        Self {
            hashers: Hashers::new(hashers),
            fingerprints: blake3::derive_key(FINGERPRINTS, secret.as_bytes()),
            api_keys: blake3::derive_key(API_KEYS, secret.as_bytes()),
        }
    }

    /// Checks a command's data as it came over HTTP and gives it back as it goes onto the wire.
    pub async fn keep_out(&self, command: &Entry, asked: Asked<'_>) -> Result<Wire, Problem> {
        match command.message_type {
            SetPassword::TYPE => self.password(asked).await,
            IssueApiKey::TYPE => self.api_key(asked),
            _ => {
                let body = command.check(asked.data)?;
                Ok(Wire { fingerprint: Fingerprint::of(&body), body, key: None })
            }
        }
    }

    async fn password(&self, asked: Asked<'_>) -> Result<Wire, Problem> {
        let NewPassword { user_id, password } = decode(asked.data, UnknownFields::Refuse)?;
        let known_by = [user_id.0.as_bytes(), password.0.as_bytes()].concat();
        let fingerprint = Fingerprint::keyed(&self.fingerprints, &known_by);
        let password_hash = self.hashers.hash(password.0, asked.turn).await?;
        Ok(Wire { body: written(&SetPassword { user_id, password_hash }), fingerprint, key: None })
    }

    fn api_key(&self, asked: Asked<'_>) -> Result<Wire, Problem> {
        let new: NewApiKey = decode(asked.data, UnknownFields::Refuse)?;
        if let Some(scope) = new.scopes.iter().find(|scope| !asked.client.may_grant(scope)) {
            return Err(Problem::ScopeExceeded { scope: scope.clone() });
        }
        let fingerprint = Fingerprint::of(&written(&new));
        let key = ApiKey::of(match asked.named {
            Some(job) => *blake3::keyed_hash(&self.api_keys, job.0.as_bytes()).as_bytes(),
            None => random_bits(),
        });
        Ok(Wire { body: written(&new.with(&key)), fingerprint, key: Some(key) })
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

/// A command's data as it is posted, for documents: its schema and an example.
pub(crate) fn posted(command: &Entry, generator: &mut SchemaGenerator) -> (Schema, Value) {
    match command.message_type {
        SetPassword::TYPE => {
            let example = json!({"user_id": SetPassword::example().user_id, "password": "correct horse battery staple"});
            (catalog::component::<NewPassword>(generator), example)
        }
        IssueApiKey::TYPE => {
            let example = serde_json::to_value(NewApiKey::example()).expect("examples are plain data");
            (catalog::component::<NewApiKey>(generator), example)
        }
        _ => (command.component(generator), command.example()),
    }
}

/// A password of 8 to 128 characters, any characters (NIST SP 800-63B §5.1.1.2). Never shown, never written.
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

/// A contract can be written; this part of it can't.
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

/// `auth.set-password` as it is posted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct NewPassword {
    user_id: UserId,
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

/// `auth.issue-api-key` as it is posted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct NewApiKey {
    #[serde(default)]
    key_id: Option<KeyId>,
    client_id: ClientId,
    name: PersonName,
    #[schemars(length(min = 1, max = 32))]
    scopes: Vec<Scope>,
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
