//! Millrace as it is run: real processes on a real broker and a real database, all of which may be killed, frozen, cut
//! off and started again.

mod launch;
pub mod program;
pub mod proxy;
pub mod resources;
pub mod servers;
pub mod signal;
mod start;
mod units;

pub use launch::{API, Launcher, Secrets, free_address};
pub use start::{Reach, Stack, StackSettings};
pub use units::{Role, Unit, Units};

pub use crate::services::Addresses;
use crate::services::ServicesError;

/// Why something could not be done to the stack.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The servers cannot be had.
    #[error(transparent)]
    Services(#[from] ServicesError),
    #[error("PostgreSQL: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the system refuses: {0}")]
    Io(#[from] std::io::Error),
    #[error("{what}: {reason}")]
    Other { what: String, reason: String },
}

impl StackError {
    /// While doing this, for this reason.
    pub fn new(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Other { what: what.into(), reason: reason.to_string() }
    }
}
