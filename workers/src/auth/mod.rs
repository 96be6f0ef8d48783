//! Auth promises: a closed account has no password and gets none, whatever overtakes what, and an API key that was
//! revoked never works again; it sees hashes only, and remembers when a key was last used.

mod rules;
mod store;
#[cfg(test)]
mod tests;

/// The auth domain.
#[derive(Debug)]
pub struct Auth;
