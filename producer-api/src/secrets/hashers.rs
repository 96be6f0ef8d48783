//! Hashes passwords, few at once, in memory that is used again.
//!
//! Memory that is allocated for every hash stays with the allocator, in part for each thread that ever hashed: processes have
//! grown by half a GiB.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use millrace_contracts::PasswordHash;
use millrace_service::panics::contain;
use tokio::sync::Semaphore;

use crate::problem::Problem;

#[cfg(test)]
mod tests;

/// The least that OWASP's Password Storage Cheat Sheet recommends for argon2id: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// A bounded number of hashers.
pub(super) struct Hashers {
    permits: Arc<Semaphore>,
    /// The memory of idle hashers; never more pieces than permits.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Hashers {
    /// Hashes at most this many passwords at once.
    pub fn new(hashers: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(hashers)), memory: Arc::default() }
    }

    /// The password's hash, if a hasher becomes free within the deadline.
    pub async fn hash(&self, password: String, deadline: Duration) -> Result<PasswordHash, Problem> {
        let permit = tokio::time::timeout(deadline, Arc::clone(&self.permits).acquire_owned());
        let Ok(Ok(permit)) = permit.await else { return Err(Problem::HashersBusy) };
        let memory = Arc::clone(&self.memory);
        // The permit is held until the hash is done, also if the client hangs up before.
        let hashing = tokio::task::spawn_blocking(move || {
            let free = || memory.lock().unwrap_or_else(PoisonError::into_inner);
            let mut blocks = free().pop().unwrap_or_default();
            let hash = contain(|| hash(password.as_bytes(), &mut blocks)).ok().flatten().ok_or(Problem::Bug);
            free().push(blocks);
            drop(permit);
            hash
        });
        hashing.await.unwrap_or(Err(Problem::Bug))
    }
}

/// `None` for a password that argon2 can't hash.
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
        write!(f, "Hashers({} free)", self.permits.available_permits())
    }
}
