//! Orders promises: an order of a known customer is confirmed once its payment is captured, and cancelled for good when
//! the payment is declined or somebody calls it off; it knows customers and payments only by what it hears.

mod rules;
mod store;
#[cfg(test)]
mod tests;

/// The orders domain.
#[derive(Debug)]
pub struct Orders;
