//! This system's domains: each a module with its rules, its store and its tests.
//!
//! What a domain is stands in `millrace_runtime`; the messages are in `millrace_contracts`.

pub mod auth;
pub mod orders;
pub mod payments;
pub mod users;

use millrace_runtime::Store;

/// What is to be done for each domain. Domains are types, so this can't be a closure.
pub trait Visitor {
    /// Does it for one domain.
    fn visit<D: Store>(&mut self);
}

/// Visits every domain of this system.
pub fn visit_domains(visitor: &mut impl Visitor) {
    visitor.visit::<auth::Auth>();
    visitor.visit::<orders::Orders>();
    visitor.visit::<payments::Payments>();
    visitor.visit::<users::Users>();
}

#[cfg(test)]
mod tests;
