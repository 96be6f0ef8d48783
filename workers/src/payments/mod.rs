//! Payments promises: an order's money is taken at most once, and goes back in full when the order is called off or
//! a refund is asked for, whatever overtakes what and whichever answer of the gateway gets lost.

pub mod effects;
mod rules;
mod store;
#[cfg(test)]
mod tests;

/// The payments domain.
#[derive(Debug)]
pub struct Payments;
