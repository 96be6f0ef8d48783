//! The names of the points and of the mutants.

/// Declares an enum whose variants have names, and all of them in order.
macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in the environment.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The one of this name.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

named! {
    /// Where a process can be made to die, in the order of a message's life.
    Point {
        /// The door has read a job.
        JobRead = "job-read",
        /// The door is about to publish it.
        JobSending = "job-sending",
        /// A message was handed to the connection; others of its window were not.
        PublishedOne = "published-one",
        /// All messages of a window were handed to the connection; no confirm is read.
        ConfirmsPending = "confirms-pending",
        /// The broker has confirmed a job; the client has not been told.
        JobConfirmed = "job-confirmed",
        /// The answer is made and not written.
        JobAnswered = "job-answered",
        /// A worker has taken a message from its channel; nothing has begun.
        Delivered = "delivered",
        /// The start of an attempt on a redelivered message is recorded; the attempt has not begun.
        StartRecorded = "start-recorded",
        /// A batch's outside calls are answered; its transaction has not begun.
        Called = "called",
        /// In the transaction; ledger and rows are read, nothing is decided.
        LookedUp = "looked-up",
        /// A message of the batch is decided.
        Decided = "decided",
        /// The domain's rows are written, the ledger's are not.
        Saved = "saved",
        /// The ledger's rows are written, too; COMMIT is not sent.
        Recorded = "recorded",
        /// COMMIT is sent, its answer is not read.
        CommitSent = "commit-sent",
        /// Committed; nothing is published.
        Committed = "committed",
        /// What there was to publish is confirmed; nothing is acknowledged.
        Confirmed = "confirmed",
        /// The acknowledgement was handed to the connection.
        Acknowledging = "acknowledging",
        /// The end of the batch.
        Acknowledged = "acknowledged",
    }
}

named! {
    /// A guarantee that is broken on purpose.
    Mutant {
        /// A batch is acknowledged before it is committed.
        AckBeforeCommit = "ack-before-commit",
        /// Follow-ups are published before the transaction that they follow from.
        PublishBeforeCommit = "publish-before-commit",
        /// Messages are published without asking for confirms.
        NoConfirms = "no-confirms",
        /// A message that the broker refuses counts as published.
        NackAsAck = "nack-as-ack",
        /// A message that the broker returns counts as published.
        ReturnIgnored = "return-ignored",
        /// A publish whose outcome is not known counts as done.
        UnknownAsDone = "unknown-as-done",
        /// What one domain has handled counts as handled by all.
        KeyWithoutHandler = "key-without-handler",
        /// Follow-ups that are published again get new ids.
        NewIdsOnRepublish = "new-ids-on-republish",
        /// Follow-ups of a message that comes again are not published again.
        NoRepublish = "no-republish",
        /// The ledger is not asked whether a message was handled before.
        NoDedupe = "no-dedupe",
        /// An error of a statement is overlooked, and the transaction committed all the same.
        ErrorSwallowed = "error-swallowed",
        /// A row that another worker has changed meanwhile is overlooked.
        ConflictIgnored = "conflict-ignored",
        /// An outage of the database counts as an attempt.
        OutageBurnsAttempts = "outage-burns-attempts",
        /// What can't succeed is tried again for ever.
        NoLimit = "no-limit",
        /// Attempts are not carried along.
        AttemptsForgotten = "attempts-forgotten",
        /// A delay queue loses a message that the domain's queue does not take back.
        AtMostOnceRetries = "at-most-once-retries",
        /// The door says 202 without waiting for the broker's confirm.
        AcceptedBeforeConfirm = "accepted-before-confirm",
    }
}
