//! Reading a message as its handler does, from a queue: which versions are known, and what its author may add.

use crate::contract::{Contract, UnknownFields, decode};
use crate::invalid::Invalid;

/// A message that this build can't read; trying again won't help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nobody who gets it handles this type.
    #[error("messages of type `{0}` are not handled here")]
    UnknownType(String),
    /// A version that this build doesn't know.
    #[error("`{message_type}` version {version} is not known to this release, which reads version {known}")]
    UnknownVersion {
        /// The message's type.
        message_type: &'static str,
        /// The message's version.
        version: u16,
        /// The version that this build reads.
        known: u16,
    },
    /// The body is not what its type says.
    #[error("the body is not a valid `{message_type}`: {invalid}")]
    Body {
        /// The message's type.
        message_type: &'static str,
        /// What is wrong and where.
        invalid: Invalid,
    },
}

/// Reads a body of this version as `T`. Fields that this build doesn't know are ignored: a newer one may send them.
pub fn read<T: Contract>(version: u16, body: &[u8]) -> Result<T, Unreadable> {
    let (message_type, known) = (T::TYPE, T::VERSION);
    if version != known {
        return Err(Unreadable::UnknownVersion { message_type, version, known });
    }
    decode(body, UnknownFields::Ignore).map_err(|invalid| Unreadable::Body { message_type, invalid })
}
