//! This system's messages: every command and event of its domains, the values that they are made of, and the catalog that
//! says which domain owns and which subscribes to what.
//!
//! Nothing here does input or output. A value of one of these types that exists is valid: it is parsed where it enters.
#![warn(missing_docs)]

mod api_key;
mod ids;
mod money;
mod system;
mod text;

pub mod auth;
pub mod orders;
pub mod payments;
pub mod users;

#[cfg(test)]
mod tests;

pub use api_key::ApiKey;
pub use ids::{KeyId, OrderId, PaymentId, UserId};
pub use money::{Currency, MinorUnits, Money, MoneyOverflow, Quantity};
pub use system::catalog;
pub use text::{
    DeclineReason, Email, KeyHash, KeyPrefix, PasswordHash, PaymentMethod, PersonName, Scope, Sku,
};
