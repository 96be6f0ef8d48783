//! The work: what a domain is, the four domains, and the machine that runs them.
//!
//! Read in this order: [`domain`], [`store`], one of the domains, then [`runtime`].

pub mod domain;
pub mod store;

pub mod orders;

#[cfg(test)]
mod given;
