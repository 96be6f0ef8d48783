//! The wire: a supervised AMQP connection, a confirmed publisher, a consumer, looking into queues, and the topology.
#![warn(missing_docs)]

pub mod browse;
mod connection;
mod consumer;
pub mod dead;
mod publisher;
pub mod replies;
pub mod topology;
mod wire;

#[cfg(test)]
mod tests;

pub use connection::{Connection, ConnectionSettings, ConnectionStatus};
pub use consumer::{ConsumeError, Consumer, ConsumerSettings};
pub use publisher::{PublishError, Publisher};
pub use replies::{PendingReply, Replier, ReplyAddress, ReplyQueue};
pub use wire::{Failure, FailureClass, Incoming, Outgoing, UnreadableEnvelope};
