//! What every message of a Millrace system has, whatever its domains are: type and version, envelope, ids, retry schedule;
//! and what follows from a catalog of messages: the broker's topology and the documents.
//!
//! Nothing here does input or output, and no domain is named. A value of one of these types that exists is valid: it is
//! parsed where it enters.
#![warn(missing_docs)]

mod contract;
mod domain;
mod envelope;
mod explain;
mod ids;
mod invalid;
pub mod ledger;
mod objects;
mod reading;
pub mod reply;
mod retry;

pub mod asyncapi;
pub mod catalog;
pub mod compatibility;
pub mod exchanges;
pub mod text;
pub mod topology;

#[cfg(test)]
mod tests;

pub use catalog::{About, Catalog, Domain, Entry, Route};
pub use contract::{Contract, Kind, UnknownFields, decode};
pub use domain::DomainName;
pub use envelope::{Envelope, Fingerprint, Trace};
pub use ids::{JobId, MessageId};
pub use invalid::{Invalid, Violation};
pub use reading::{Unreadable, read};
pub use reply::Reply;
pub use retry::{DelayQueue, RetrySchedule};
pub use text::{ClientId, InvalidText};
pub use topology::Topology;
