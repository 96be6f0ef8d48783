//! What every message of a Millrace system has, whatever its domains are: type and version, envelope, ids, retry schedule;
//! and what follows from a catalog of messages: the broker's topology and the documents.
//!
//! Nothing here does input or output, and no domain is named. A value of one of these types that exists is valid: it is
//! parsed where it enters.
//!
//! # What you get
//!
//! - **To write a message**: [`Contract`], with its [`Kind`] and its [`RetrySchedule`]; [`text!`], [`shown!`] and [`id!`] for the
//!   types of its fields; [`Violation`] for what a field's type can't say.
//! - **To list messages**: a [`Catalog`] of [`Domain`]s, each with its [`DomainName`], and an [`About`]. It gives an [`Entry`] for
//!   each message type, with its [`Route`].
//! - **To read a message**: [`read()`] as a handler does, or [`decode()`] as strictly as the API does. [`Unreadable`] and [`Invalid`]
//!   say why it can't be read.
//! - **What travels beside a body**: [`Envelope`], with [`MessageId`], [`JobId`], [`ClientId`], [`Fingerprint`] and [`Trace`].
//! - **What follows from a catalog**: the [`topology`] of the broker with its [`exchanges`] and its [`DelayQueue`]s, the
//!   [`asyncapi`] document, and schemas: [`component`] for one that is part of a document, [`compatibility`] with those of the last
//!   release.
//! - **What is known of a job**: [`ledger`], which workers write and the API reads, and the [`Reply`] that an API process waits for.
#![warn(missing_docs)]

mod catalog;
mod client;
mod contract;
mod domain;
mod envelope;
mod explain;
mod ids;
mod invalid;
mod objects;
mod reading;
mod reply;
mod retry;

pub mod asyncapi;
pub mod compatibility;
pub mod exchanges;
pub mod ledger;
pub mod text;
pub mod topology;

#[cfg(test)]
mod tests;

pub use catalog::{About, Catalog, Domain, Entry, Route, component};
pub use client::ClientId;
pub use contract::{Contract, Kind, UnknownFields, decode};
pub use domain::DomainName;
pub use envelope::{Envelope, Fingerprint, Trace};
pub use ids::{JobId, MessageId};
pub use invalid::{Invalid, Violation};
pub use reading::{Unreadable, read};
pub use reply::Reply;
pub use retry::{DelayQueue, RetrySchedule};
