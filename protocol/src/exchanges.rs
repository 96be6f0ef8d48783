//! The names of the exchanges that every system has.

/// Topic exchange for commands; the routing key is the message type.
pub const COMMANDS: &str = "commands";
/// Topic exchange for events; the routing key is the message type.
pub const EVENTS: &str = "events";
/// Direct exchange for messages that are given up; the routing key is the domain.
pub const DEAD: &str = "dead";
/// Direct exchange for messages that an operator sends again; the routing key is the domain.
pub const REDRIVE: &str = "redrive";
/// Direct exchange for replies to an API process that waits; the routing key is that process's own queue, which it declares
/// itself. A reply that nobody waits for any more goes nowhere.
pub const REPLIES: &str = "replies";
/// Catch-all for messages that no binding routes. Must stay empty.
pub(crate) const UNROUTED: &str = "unrouted";
