//! RabbitMQ: a supervised connection, a publisher with confirms, a consumer, and the tools of operators for queues, dead
//! letters and the topology.
//!
//! # What you get
//!
//! - **A connection**: [`Connection`] of these [`ConnectionSettings`]. It opens itself again; its [`ConnectionStatus`] can be
//!   watched.
//! - **To publish**: a [`Publisher`] takes each [`Outgoing`] message and returns once the broker has confirmed it, or a
//!   [`PublishError`].
//! - **To consume**: a [`Consumer`] of these [`ConsumerSettings`] gives batches of [`Incoming`] messages until a
//!   [`ConsumeError`]. What can't be processed becomes an [`Outgoing`] with its [`Failure`] and [`FailureClass`];
//!   [`UnreadableEnvelope`] says what a foreign message lacks.
//! - **To wait for an outcome**: a [`ReplyQueue`] gives a [`PendingReply`] with its [`ReplyAddress`]; a [`Replier`] sends the reply.
//! - **For operators**: [`topology`] compares and applies, [`dead`] shows and sends again dead letters, [`browse`] looks at a queue
//!   without taking anything from it.
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
