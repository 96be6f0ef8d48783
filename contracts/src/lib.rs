//! This system's messages: every command and event of its domains, the values that they are made of, and the catalog that
//! says which domain owns and which subscribes to what.
//!
//! Nothing here does input or output. A value of one of these types that exists is valid: it is parsed where it enters.
//!
//! # What you get
//!
//! - **The system**: [`catalog()`], which everything else is handed by its `main`.
//! - **A domain's messages**: [`auth`], [`users`], [`orders`] and [`payments`], each with its `DOMAIN`.
//! - **What they are made of**: ids ([`UserId`], [`OrderId`], [`PaymentId`], [`KeyId`]), [`Money`] in [`MinorUnits`] of a [`Currency`],
//!   [`Quantity`], and texts that are parsed ([`Email`], [`PersonName`], [`Sku`], [`PaymentMethod`], [`DeclineReason`], [`Scope`]).
//!   [`MoneyOverflow`], [`InvalidQuantity`] and [`UnknownCurrency`] say why a value is none.
//! - **Secrets**: an [`ApiKey`] stays in the API, and [`KeyPrefix`], [`KeyHash`] and [`PasswordHash`] travel.
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
pub use money::{Currency, InvalidQuantity, MinorUnits, Money, MoneyOverflow, Quantity, UnknownCurrency};
pub use system::catalog;
pub use text::{
    DeclineReason, Email, KeyHash, KeyPrefix, PasswordHash, PaymentMethod, PersonName, Scope, Sku,
};
