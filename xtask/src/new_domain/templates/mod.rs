//! {{Domain}} promises: {{a_noun}} is opened by `{{opening.wire}}` and completed once, whatever comes late or twice.

mod rules;
mod store;
#[cfg(test)]
mod tests;

/// The {{domain}} domain.
#[derive(Debug)]
pub struct {{Domain}};
