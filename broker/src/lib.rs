//! RabbitMQ: a supervised connection, a publisher with confirms, a consumer, and the tools of operators for queues, dead
//! letters and the topology.
#![warn(missing_docs)]

pub mod browse;
mod connection;
mod consumer;
pub mod dead;
mod publisher;
mod replies;
pub mod topology;
mod wire;

#[cfg(test)]
mod tests;

pub use connection::{Connection, ConnectionSettings, ConnectionStatus};
pub use consumer::{ConsumeError, Consumer, ConsumerSettings};
pub use publisher::{PublishError, Publisher};
pub use replies::{PendingReply, Replier, ReplyAddress, ReplyQueue};
pub use wire::{Failure, FailureClass, Incoming, Outgoing, UnreadableEnvelope};
