//! Secrets never enter a queue: a password leaves here as its argon2id hash, a new API key as its SHA-256.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Algorithm, Argon2, Params, Version};
use millrace_contracts::auth::{IssueApiKey, MAX_SCOPES, SetPassword};
use millrace_contracts::catalog::{self, Entry};
use millrace_contracts::{
    ClientId, Contract, InvalidText, KeyHash, KeyId, KeyPrefix, Kind, PasswordHash, PersonName, Scope,
    UnknownFields, UserId, Violation, decode,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// The least that OWASP's Password Storage Cheat Sheet recommends for argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a request waits for its turn to hash.
const TURN_DEADLINE: Duration = Duration::from_secs(2);
/// 43 characters out of 62 hold 256 bits.
const KEY_CHARS: usize = 43;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How much of a key people see later: enough to tell keys apart, far too little to guess the rest.
const PREFIX_CHARS: usize = 11;

/// A body as it goes onto the wire, and the secret that only the answer may show.
#[derive(Debug)]
pub(crate) struct Wire {
    pub body: Vec<u8>,
    pub key: Option<NewKey>,
}

/// Takes the secrets out of commands; hashing is bounded, since each hash takes its memory and a processor.
#[derive(Debug)]
pub(crate) struct Secrets {
    hashers: Arc<Semaphore>,
}

impl Secrets {
    /// At most this many passwords are hashed at once.
    pub fn new(hashers: usize) -> Self {
        Self { hashers: Arc::new(Semaphore::new(hashers)) }
    }

    /// Checks a command's data as it came over HTTP and gives it back as it goes onto the wire.
    pub async fn keep_out(&self, command: &Entry, body: &[u8]) -> Result<Wire, Problem> {
        match command.message_type {
            SetPassword::TYPE => {
                let asked: NewPassword = decode(body, UnknownFields::Refuse)?;
                let password_hash = self.hash(asked.password).await?;
                Ok(Wire::plain(&SetPassword { user_id: asked.user_id, password_hash }))
            }
            IssueApiKey::TYPE => {
                let asked: NewApiKey = decode(body, UnknownFields::Refuse)?;
                let key = NewKey::mint();
                Ok(Wire { key: Some(key.clone()), ..Wire::plain(&asked.with(&key)) })
            }
            _ => Ok(Wire { body: command.check(body)?, key: None }),
        }
    }

    async fn hash(&self, password: Password) -> Result<PasswordHash, Problem> {
        let turn = tokio::time::timeout(TURN_DEADLINE, Arc::clone(&self.hashers).acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(Problem::HashersBusy) };
        // The turn goes along: a client that hangs up must not let more hashes run at once.
        let hashing = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            password.hash()
        });
        hashing.await.unwrap_or(Err(Problem::Bug))
    }
}

impl Wire {
    fn plain(message: &impl Serialize) -> Self {
        Self { body: serde_json::to_vec(message).expect("messages are plain data"), key: None }
    }
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

impl Password {
    fn hash(&self) -> Result<PasswordHash, Problem> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| Problem::Bug)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash: Phc = argon2.hash_password(self.0.as_bytes()).map_err(|_| Problem::Bug)?;
        PasswordHash::parse(hash.to_string()).map_err(|_| Problem::Bug)
    }
}

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
    fn with(self, key: &NewKey) -> IssueApiKey {
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

/// A new API key: `mr_` and 256 random bits. Its text is for the one answer that shows it.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct NewKey(String);

impl NewKey {
    fn mint() -> Self {
        let mut text = String::with_capacity(3 + KEY_CHARS);
        text.push_str("mr_");
        let mut random = [0; 64];
        while text.len() < 3 + KEY_CHARS {
            getrandom::fill(&mut random).expect("the kernel always gives random bytes once it has booted");
            // 248 is the largest multiple of 62 in a byte: taking more would make some characters likelier.
            let fair = random.iter().filter(|byte| **byte < 248).map(|byte| ALPHABET[usize::from(byte % 62)]);
            let missing = 3 + KEY_CHARS - text.len();
            text.extend(fair.take(missing).map(char::from));
        }
        Self(text)
    }

    fn prefix(&self) -> KeyPrefix {
        KeyPrefix::parse(&self.0[..PREFIX_CHARS]).expect("letters, digits and an underscore")
    }

    fn hash(&self) -> KeyHash {
        let digest = Sha256::digest(self.0.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        KeyHash::parse(hex).expect("64 hexadecimal digits")
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewKey(…)")
    }
}
