//! `checker`: posts the load, keeps a history of it, and says afterwards whether the promise held. It is never killed.

mod follow;
mod inject;
mod judge;
pub mod options;
pub mod process;
mod quiet;
mod recovery;
mod run;
mod verdict;

pub use options::Options;
pub use run::{Told, run};
