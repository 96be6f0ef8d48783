//! The errors that end a process.

use std::error::Error;

/// Why a process ends without having been asked to stop.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// These settings can't work, for the reason in the sentence. Exit code 78.
    #[error("{0}")]
    Misconfigured(String),
    /// Something failed that may succeed after a restart. Exit code 1.
    #[error("{sentence}")]
    Failed {
        /// What happened, what it means and what to do, in full sentences.
        sentence: String,
        /// The underlying error.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Fatal {
    /// A failure without an underlying error.
    #[must_use]
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed { sentence: sentence.into(), source: None }
    }

    /// A failure with an underlying error.
    #[must_use]
    pub fn because(sentence: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { sentence: sentence.into(), source: Some(source.into()) }
    }
}
