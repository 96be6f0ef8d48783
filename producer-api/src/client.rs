//! The upstream system that sent a request, as its API key proves it, and what it may do.

use std::sync::Arc;

use millrace_contracts::Scope;
use millrace_protocol::ClientId;

/// A client that has proven itself by its key.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub id: ClientId,
    pub scopes: Arc<[Scope]>,
}

impl Client {
    #[cfg(test)]
    pub fn with_scopes(name: &str, scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|scope| Scope::parse(*scope).expect("a valid scope"));
        Self { id: ClientId::parse(name).expect("a valid client"), scopes: scopes.collect() }
    }

    /// Whether a scope of its key covers this command.
    pub fn may(&self, command: &str) -> bool {
        self.scopes.iter().any(|scope| scope.allows(command))
    }

    /// Whether it may do everything that a key with this scope may.
    pub fn may_grant(&self, scope: &Scope) -> bool {
        self.may(scope.pattern())
    }
}
