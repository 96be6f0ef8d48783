//! Who may come in: checks the API key of a request and says which client it belongs to.

use axum::http::{HeaderMap, header};
use millrace_contracts::ClientId;
use millrace_service::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// The upstream system that sent a request, proven by its key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub id: ClientId,
}

/// The keys that are let in. Only their hashes are kept, and all comparisons take the same time for every wrong key.
#[derive(Debug)]
pub(crate) struct ApiKeys {
    known: Vec<(KeyDigest, Client)>,
}

type KeyDigest = [u8; 32];

impl ApiKeys {
    /// Lets in whoever has the development key, if there is one, as the client `dev`.
    pub fn development(key: Option<&Secret>) -> Self {
        let dev = || Client { id: ClientId::parse("dev").expect("a valid client id") };
        Self { known: key.map(|key| (digest(key.expose()), dev())).into_iter().collect() }
    }

    /// Whether nobody can come in.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The client whose key stands in `Authorization: Bearer <key>` (RFC 6750 §2.1).
    pub fn client(&self, headers: &HeaderMap) -> Result<&Client, Problem> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(only), None) = (given.next(), given.next()) else { return Err(Problem::KeyMissing) };
        let text = only.to_str().map_err(|_| Problem::KeyMissing)?;
        let (scheme, key) = text.split_once(' ').ok_or(Problem::KeyMissing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::KeyMissing);
        }
        let presented = digest(key.trim());
        self.known
            .iter()
            .fold(
                None,
                |found, (known, client)| {
                    if bool::from(known.ct_eq(&presented)) { Some(client) } else { found }
                },
            )
            .ok_or(Problem::KeyUnknown)
    }
}

fn digest(key: &str) -> KeyDigest {
    Sha256::digest(key.as_bytes()).into()
}
