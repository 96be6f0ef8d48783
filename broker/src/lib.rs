//! The wire: a supervised AMQP connection, a confirmed publisher, a consumer, dead letters, and the topology.
#![warn(missing_docs)]

mod consumer;
pub mod dead;
mod link;
mod publisher;
pub mod replies;
pub mod topology;
mod wire;

#[cfg(test)]
mod tests;

pub use consumer::{ConsumeError, Consumer, ConsumerSettings};
pub use link::{Link, LinkSettings, LinkStatus};
pub use publisher::{PublishError, Publisher};
pub use replies::{Expected, Mailbox, Replier, ReplyAddress};
pub use wire::{Failure, FailureClass, Incoming, Outgoing, UnreadableEnvelope};
