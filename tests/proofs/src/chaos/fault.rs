//! The faults there are, as data: what is done, to what, for how long.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use millrace_protocol::DomainName;

use crate::verb::name_of;

/// A fault, without its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Kind {
    /// SIGKILL to one worker.
    WorkerKilled,
    /// One worker stands still and goes on before anybody notices.
    WorkerPaused,
    /// One worker stands still until the broker has given up on it, and then goes on with what it had.
    WorkerFrozen,
    /// SIGTERM to one worker.
    WorkerStopped,
    /// SIGTERM to one worker, and SIGKILL before it has finished.
    WorkerCutShort,
    /// SIGKILL to all workers of a domain.
    DomainKilled,
    /// SIGKILL to one API.
    ApiKilled,
    /// One API stands still.
    ApiPaused,
    /// SIGTERM to one API.
    ApiStopped,
    /// SIGKILL to RabbitMQ.
    BrokerKilled,
    /// RabbitMQ is stopped cleanly and started again.
    BrokerRestarted,
    /// RabbitMQ stands still.
    BrokerFrozen,
    /// RabbitMQ is short of memory and takes nothing.
    MemoryAlarm,
    /// RabbitMQ is short of disk space and takes nothing.
    DiskAlarm,
    /// A domain's queue refuses what is published to it.
    QueueFull,
    /// A domain's queue has no leader.
    QueueDown,
    /// An event that one domain subscribes to is bound to no queue.
    BindingGone,
    /// SIGKILL to all of PostgreSQL.
    DatabaseKilled,
    /// PostgreSQL is stopped without a checkpoint and recovers.
    DatabaseRestarted,
    /// PostgreSQL stands still.
    DatabaseFrozen,
    /// Some sessions are cut off by the server.
    SessionsCut,
    /// All sessions that the server allows are taken.
    SessionsExhausted,
    /// A table is locked against everybody.
    TableLocked,
    /// A table can be read and not be written, as while an index is made.
    TableReadOnly,
    /// A table has another name for a while.
    TableHidden,
    /// Connections are reset, and new ones too.
    Reset,
    /// What clients say does not arrive.
    HoleToServer,
    /// What servers say does not arrive.
    HoleToClient,
    /// Neither arrives.
    HoleBoth,
    /// Everything arrives late.
    Delay,
    /// Everything arrives drop by drop.
    Trickle,
    /// Connections break in the middle of a frame.
    FrameCut,
    /// Connections break between a COMMIT and its answer.
    CommitCut,
}

impl Kind {
    /// What happens to servers.
    pub const OF_SERVERS: [Self; 16] = [
        Self::BrokerKilled,
        Self::BrokerRestarted,
        Self::BrokerFrozen,
        Self::MemoryAlarm,
        Self::DiskAlarm,
        Self::QueueFull,
        Self::QueueDown,
        Self::BindingGone,
        Self::DatabaseKilled,
        Self::DatabaseRestarted,
        Self::DatabaseFrozen,
        Self::SessionsCut,
        Self::SessionsExhausted,
        Self::TableLocked,
        Self::TableReadOnly,
        Self::TableHidden,
    ];
    /// What happens on every way between them.
    pub const OF_EVERY_WAY: [Self; 7] = [
        Self::Reset,
        Self::HoleToServer,
        Self::HoleToClient,
        Self::HoleBoth,
        Self::Delay,
        Self::Trickle,
        Self::FrameCut,
    ];

    /// How it is written: in lower case, with dashes.
    pub fn name(self) -> String {
        name_of(self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// A way between programs and servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the APIs to the broker.
    ApiBroker,
    /// From the workers to the broker.
    WorkerBroker,
    /// From everybody to the database.
    Database,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::ApiBroker, Self::WorkerBroker, Self::Database];
}

/// To what it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A program, such as `orders-worker-1`.
    Program(String),
    /// All workers of a domain, or its queue.
    Domain(&'static str),
    /// The binding by which an event reaches a domain.
    Event(DomainName, &'static str),
    /// A server as a whole.
    Broker,
    /// The other one.
    Database,
    /// This many sessions.
    Sessions(u32),
    Table(&'static str),
    Way(Way),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => f.pad(name),
            Self::Domain(name) | Self::Event(_, name) | Self::Table(name) => f.pad(name),
            Self::Broker => f.pad("broker"),
            Self::Database | Self::Sessions(_) | Self::Way(Way::Database) => f.pad("database"),
            Self::Way(Way::ApiBroker) => f.pad("api-broker"),
            Self::Way(Way::WorkerBroker) => f.pad("worker-broker"),
        }
    }
}

/// One step of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// So long after the one before: on the track of programs after its beginning, on the other after its end.
    pub after: Duration,
    pub kind: Kind,
    pub target: Target,
    /// How long it lasts; of killed things, how long they stay away.
    pub hold: Duration,
}
