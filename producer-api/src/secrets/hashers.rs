//! Hashes passwords, few at once, each in memory that is used again and again.
//!
//! Memory that is allocated anew for every hash stays with the allocator, in part for each thread that ever hashed: doors
//! have grown by half a GiB.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use millrace_contracts::PasswordHash;
use tokio::sync::Semaphore;

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// The least that OWASP's Password Storage Cheat Sheet recommends for argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Whoever hashes passwords.
pub(super) struct Hashers {
    turns: Arc<Semaphore>,
    /// Of those that have no password at the moment; no more than there are turns.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hashers {
    /// So many at once.
    pub fn new(hashers: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(hashers)), memory: Arc::default() }
    }

    /// The hash, once it is this password's turn, if that comes in time.
    pub async fn hash(&self, password: String, deadline: Duration) -> Result<PasswordHash, Problem> {
        let turn = tokio::time::timeout(deadline, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else { return Err(Problem::HashersBusy) };
        let memory = Arc::clone(&self.memory);
        // The turn goes along: a client that hangs up must not let more hashes run at once.
        let hashing = tokio::task::spawn_blocking(move || {
            let free = || memory.lock().unwrap_or_else(PoisonError::into_inner);
            let mut blocks = free().pop().unwrap_or_default();
            let hash = hash(password.as_bytes(), &mut blocks).ok_or(Problem::Bug);
            free().push(blocks);
            drop(turn);
            hash
        });
        hashing.await.unwrap_or(Err(Problem::Bug))
    }
}

/// `None` for what the parameters rule out.
fn hash(password: &[u8], blocks: &mut Vec<Block>) -> Option<PasswordHash> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    blocks.resize(params.block_count(), Block::default());
    let (salt, mut hash) = (Salt::generate(), [0; Params::DEFAULT_OUTPUT_LEN]);
    let text = ParamsString::try_from(&params).ok()?;
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let argon2 = Argon2::new(algorithm, version, params);
    argon2.hash_password_into_with_memory(password, &salt, &mut hash, blocks).ok()?;
    let hash = Phc {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: text,
        salt: Some(salt),
        hash: Some(Output::new(&hash).ok()?),
    };
    PasswordHash::parse(hash.to_string()).ok()
}

impl fmt::Debug for Hashers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hashers({} free)", self.turns.available_permits())
    }
}
