//! What is wrong with a body, and where: for its author.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// One thing wrong with a body, and where: a JSON pointer (RFC 6901) into it and a sentence for its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Violation {
    /// JSON pointer, such as `/lines/0/quantity`; empty for the whole body.
    pub pointer: String,
    /// What was expected there.
    pub message: String,
}

impl Violation {
    /// A violation at the given JSON pointer.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Why a body is not a message of the type it claims to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invalid {
    /// Not JSON at all (or JSON followed by something else).
    NotJson(Violation),
    /// JSON, but not of this shape.
    Violations(Vec<Violation>),
}

impl Invalid {
    /// Everything that is wrong, in the order in which it was found.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::NotJson(violation) => std::slice::from_ref(violation),
            Self::Violations(violations) => violations,
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, violation) in self.violations().iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            match violation.pointer.as_str() {
                "" => write!(f, "{separator}{}", violation.message)?,
                pointer => write!(f, "{separator}{pointer}: {}", violation.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}
