//! This system's domains: each a module with its rules, its store and its tests.
//!
//! What a domain is stands in `millrace_runtime`; the messages are in `millrace_contracts`.

pub mod auth;
pub mod orders;
pub mod payments;
pub mod users;

#[cfg(test)]
mod tests;
