//! What concerns several domains.

mod money;
mod subscriptions;
