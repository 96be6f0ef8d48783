//! The words of Millrace: every command and event, who hears it, how it is retried, and the broker topology as data.
//!
//! Nothing here does input or output. A type of this crate that exists is valid: values are parsed where they enter.
#![warn(missing_docs)]

mod api_key;
mod contract;
mod explain;
mod ids;
mod money;
mod objects;
mod reading;
mod text;

pub mod auth;
pub mod orders;
pub mod payments;
pub mod users;

pub mod asyncapi;
pub mod catalog;
pub mod compatibility;
pub mod domain;
pub mod envelope;
pub mod ledger;
pub mod reply;
pub mod retry;
pub mod topology;

#[cfg(test)]
mod tests;

pub use api_key::ApiKey;
pub use contract::{Contract, Invalid, Kind, UnknownFields, Violation, decode};
pub use domain::Domain;
pub use envelope::{Envelope, Fingerprint, Trace};
pub use ids::{JobId, KeyId, MessageId, OrderId, PaymentId, UserId};
pub use money::{Currency, MinorUnits, Money, MoneyOverflow, Quantity};
pub use reading::{Unreadable, read};
pub use reply::Reply;
pub use retry::{RetryPolicy, Rung};
pub use text::{
    ClientId, DeclineReason, Email, InvalidText, KeyHash, KeyPrefix, PasswordHash, PaymentMethod, PersonName,
    Scope, Sku,
};
