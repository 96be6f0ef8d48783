//! Guarantees of the pipeline left out on purpose: a property that finds none of them would prove nothing.

use super::property::{ATTEMPTS, KILLS, NO_PHANTOM, NOTHING_LOST, ONE_EFFECT, ONLY_POISON_DIES};
use super::state::{Budget, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    AcknowledgeOnDelivery,
    AcknowledgeBeforeConfirm,
    PublishBeforeCommit,
    NackTakenForConfirm,
    NoDedupe,
    DedupeOutsideTransaction,
    AnyRowSuppresses,
    NothingPublishedAgain,
    NewIdsWhenPublishedAgain,
    OutageUsesAttempt,
    AttemptsNotCarried,
    NoStartRecorded,
    RedeliveredNotAlone,
    RunsNotWrittenBefore,
    RunsForgottenWhenGivenUp,
}

/// What finds a mutant.
pub struct Found {
    pub mutant: Mutant,
    pub by: &'static str,
    /// The command beside the good one.
    pub beside: Kind,
    pub budget: Budget,
}

const fn found(mutant: Mutant, by: &'static str, beside: Kind, crashes: u8, mishaps: u8) -> Found {
    Found { mutant, by, beside, budget: Budget { crashes, mishaps } }
}

pub const ALL: [Found; 15] = [
    found(Mutant::AcknowledgeOnDelivery, NOTHING_LOST, Kind::Refused, 1, 0),
    found(Mutant::AcknowledgeBeforeConfirm, NOTHING_LOST, Kind::Refused, 1, 0),
    found(Mutant::PublishBeforeCommit, NO_PHANTOM, Kind::Refused, 0, 0),
    found(Mutant::NackTakenForConfirm, NOTHING_LOST, Kind::Refused, 0, 1),
    found(Mutant::NoDedupe, ONE_EFFECT, Kind::Refused, 1, 0),
    found(Mutant::DedupeOutsideTransaction, ONE_EFFECT, Kind::Refused, 0, 1),
    found(Mutant::AnyRowSuppresses, NOTHING_LOST, Kind::Broken, 0, 0),
    found(Mutant::NothingPublishedAgain, NOTHING_LOST, Kind::Refused, 1, 0),
    found(Mutant::NewIdsWhenPublishedAgain, NO_PHANTOM, Kind::Refused, 1, 0),
    found(Mutant::OutageUsesAttempt, ATTEMPTS, Kind::Refused, 0, 1),
    found(Mutant::AttemptsNotCarried, ATTEMPTS, Kind::Broken, 0, 0),
    found(Mutant::NoStartRecorded, KILLS, Kind::Killer, 0, 0),
    found(Mutant::RedeliveredNotAlone, ONLY_POISON_DIES, Kind::Killer, 0, 0),
    found(Mutant::RunsNotWrittenBefore, KILLS, Kind::Killer, 0, 0),
    found(Mutant::RunsForgottenWhenGivenUp, KILLS, Kind::Killer, 1, 0),
];
