//! The work: what a domain is, the four domains, and the machine that runs them.
//!
//! Read in this order: [`domain`], [`store`], one of the domains, then [`runtime`].

pub mod domain;
pub mod effects;
pub mod store;

pub mod auth;
pub mod orders;
pub mod payments;
pub mod users;

pub mod runtime;
pub mod worker;

#[cfg(test)]
mod given;
#[cfg(test)]
mod heard_tests;
#[cfg(test)]
mod money_tests;
