//! Where the programs of Millrace are that a proof starts.

use std::path::{Path, PathBuf};

use clap::Args;

/// Which programs of Millrace are started. `cargo xtask` builds them first.
#[derive(Debug, Clone, Default, Args)]
pub struct Programs {
    /// The folder with Millrace's programs; left out, the one that cargo built them into
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Take optimized programs, which bear more load
    #[arg(long)]
    release: bool,
}

/// The same, where they must be armed: built to die at a given point or to break a given guarantee.
#[derive(Debug, Clone, Default, Args)]
pub struct ArmedPrograms {
    /// The folder with armed programs; left out, the one that `cargo xtask` keeps them in
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
}

impl Programs {
    pub fn folder(&self) -> PathBuf {
        self.programs.clone().unwrap_or_else(|| built(if self.release { "release" } else { "debug" }))
    }
}

impl ArmedPrograms {
    pub fn folder(&self) -> PathBuf {
        self.programs.clone().unwrap_or_else(|| built("armed"))
    }
}

/// A folder beside the one that we were built into, as cargo may have been told to build elsewhere.
pub fn built(folder: &str) -> PathBuf {
    let own = std::env::current_exe().ok();
    let target = own.as_deref().and_then(|own| own.parent()?.parent()).unwrap_or(Path::new("target"));
    target.join(folder)
}
