//! What can happen to a cluster, and how soon it must serve again.

use std::time::Duration;

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The leader of `orders` is killed, and started again later
    LeaderKilled,
    /// The leader of `orders` is frozen: its connections stay open and silent
    LeaderPaused,
    /// The leader of `orders` is cut off from the others and from all clients
    LeaderPartitioned,
    /// The leader of `orders` is cut off from the others; clients still reach it
    LeaderCutOff,
    /// A follower of `orders` is cut off from the others; clients still reach it
    MinorityCutOff,
    /// Two of three nodes are killed, so that nothing can be confirmed, and started again later
    MajorityLost,
    /// All nodes are restarted one after the other, each after the queues are whole again
    RollingRestart,
}

impl Scenario {
    /// How long there must be load: a little longer than it takes.
    pub const fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::LeaderKilled | Self::MajorityLost => 70,
            Self::LeaderPaused | Self::LeaderPartitioned | Self::LeaderCutOff | Self::MinorityCutOff => 90,
            Self::RollingRestart => 100,
        })
    }
}

/// From the event on, posts must be confirmed and new orders handled again within this time.
pub mod limit {
    use super::Duration;

    /// A node that dies closes its connections, so everybody knows at once.
    pub const DEAD: Duration = Duration::from_secs(10);
    /// A node that falls silent must be missed first.
    pub const SILENT: Duration = Duration::from_secs(30);
    /// Two nodes boot, and elect.
    pub const BOOT: Duration = Duration::from_secs(45);
    /// Whatever a node held for its consumers when it went: from 4.3 on, RabbitMQ gives it to others after a minute.
    pub const HELD: Duration = Duration::from_secs(90);
    /// What is mended must not hurt again.
    pub const MENDED: Duration = Duration::from_secs(10);
}
