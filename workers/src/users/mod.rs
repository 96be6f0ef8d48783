//! Users promises: an e-mail address, whatever its case, belongs to one open account at a time, and a closed account
//! stays closed and sets its address free.

mod rules;
mod store;
#[cfg(test)]
mod tests;

/// The users domain.
#[derive(Debug)]
pub struct Users;
