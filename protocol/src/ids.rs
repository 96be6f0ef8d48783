//! Identifiers of messages and jobs, the ones derived from a parent, and the macro that makes a domain's own.

use uuid::Uuid;

/// Declares a type of identifier: a UUID that is written as plain text in JSON and can't be taken for another kind of id.
///
/// The crate that uses it depends on `serde`, `schemars` (with its feature `uuid1`) and `uuid`.
///
/// ```
/// millrace_protocol::id!(
///     /// One parcel.
///     ParcelId
/// );
/// assert_eq!(ParcelId(uuid::Uuid::nil()).to_string(), "00000000-0000-0000-0000-000000000000");
/// ```
#[macro_export]
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize,
            ::schemars::JsonSchema,
        )]
        #[serde(transparent)]
        pub struct $name(pub ::uuid::Uuid);

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

id!(
    /// One message: the key under which a handler's ledger remembers it.
    MessageId
);
id!(
    /// One job: the id of its first message, and the correlation id of every message that follows from it.
    JobId
);

impl MessageId {
    /// The id of the `position`-th message that handling this one sends out.
    ///
    /// The first 48 bits (UUIDv7's milliseconds, RFC 9562 §5.7) are the parent's, so that a whole flow lies in one
    /// ledger partition and one narrow key range; the rest is a hash of parent and position.
    #[must_use]
    pub fn derive(self, position: u32) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes());
        hasher.update(&position.to_le_bytes());
        let mut bytes = *self.0.as_bytes();
        bytes[6..].copy_from_slice(&hasher.finalize().as_bytes()[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// The lowest and the highest id that share this one's first 48 bits: where its whole flow lies.
    #[must_use]
    pub fn flow_range(self) -> (Uuid, Uuid) {
        let mut low = *self.0.as_bytes();
        let mut high = low;
        low[6..].fill(0x00);
        high[6..].fill(0xff);
        (Uuid::from_bytes(low), Uuid::from_bytes(high))
    }

    /// The job whose first message this is.
    #[must_use]
    pub fn as_job(self) -> JobId {
        JobId(self.0)
    }
}

impl JobId {
    /// The message that carries the job's own command.
    #[must_use]
    pub fn first_message(self) -> MessageId {
        MessageId(self.0)
    }
}
