//! The names of all points, tasks and mutants.

/// Declares an enum whose variants have names and a list of all variants in order.
macro_rules! named {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// All variants, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The variant's name in the environment variable.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The variant with this name.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }
    };
}

named! {
    /// A point at which a process can be made to kill itself, in the order of a message's life.
    Point {
        /// The API has read a job.
        JobRead = "job-read",
        /// The API is about to publish the job.
        JobSending = "job-sending",
        /// One message of a window is written to the socket; others are not.
        PublishedOne = "published-one",
        /// All messages of a window are written to the socket; no confirm is read.
        ConfirmsPending = "confirms-pending",
        /// The broker has confirmed a job; the client has no response.
        JobConfirmed = "job-confirmed",
        /// The response is built and not written.
        JobAnswered = "job-answered",
        /// A worker has taken a message from its channel and done nothing with it.
        Delivered = "delivered",
        /// The start of an attempt on a redelivered message is recorded; the attempt has not begun.
        StartRecorded = "start-recorded",
        /// The outside calls of a batch have returned; its transaction has not begun.
        Called = "called",
        /// In the transaction: ledger and rows are read, nothing is decided.
        LookedUp = "looked-up",
        /// In the transaction: one message of the batch is decided.
        Decided = "decided",
        /// In the transaction: the domain's rows are written, the ledger's are not.
        Saved = "saved",
        /// In the transaction: all rows are written; COMMIT is not sent.
        Recorded = "recorded",
        /// COMMIT is sent; its response is not read.
        CommitSent = "commit-sent",
        /// The batch is committed; no follow-up is published.
        Committed = "committed",
        /// All follow-ups are confirmed; nothing is acknowledged.
        Confirmed = "confirmed",
        /// The acknowledgement is written to the socket.
        Acknowledging = "acknowledging",
        /// The batch is done.
        Acknowledged = "acknowledged",
    }
}

named! {
    /// A task that runs for as long as its process.
    Task {
        /// Keeps a connection to the broker open.
        BrokerConnection = "broker-connection",
        /// Publishes over one channel.
        PublishChannel = "publish-channel",
        /// Receives the replies that an API process waits for.
        ReplyQueue = "reply-queue",
        /// Sends a worker's replies.
        Replier = "replier",
        /// A worker's lane.
        Lane = "lane",
        /// Reports the state of the connections to the broker.
        BrokerWatch = "broker-watch",
        /// Asks the API's database whether it is there.
        DatabaseWatch = "database-watch",
        /// Reads the flows that clients of the API follow.
        FlowWatcher = "flow-watcher",
        /// Publishes when API keys were used.
        KeyUsageLog = "key-usage-log",
        /// Accepts connections of the API.
        HttpServer = "http-server",
        /// Accepts connections of a worker's probes.
        Probes = "probes",
        /// Waits for SIGTERM and SIGINT.
        Signals = "signals",
        /// Drains histograms.
        Metrics = "metrics",
    }
}

named! {
    /// A broken guarantee.
    Mutant {
        /// A batch is acknowledged before it is committed.
        AckBeforeCommit = "ack-before-commit",
        /// Follow-ups are published before the transaction that causes them is committed.
        PublishBeforeCommit = "publish-before-commit",
        /// Messages are published without asking for confirms.
        NoConfirms = "no-confirms",
        /// A message that the broker refuses counts as published.
        NackAsAck = "nack-as-ack",
        /// A message that the broker returns counts as published.
        ReturnIgnored = "return-ignored",
        /// A publish with an unknown outcome counts as done.
        UnknownAsDone = "unknown-as-done",
        /// A message that one domain has handled counts as handled by all domains.
        KeyWithoutHandler = "key-without-handler",
        /// Follow-ups that are published again get new ids.
        NewIdsOnRepublish = "new-ids-on-republish",
        /// Follow-ups of a redelivered message are not published again.
        NoRepublish = "no-republish",
        /// A message that the ledger knows as handled is handled again.
        NoDedupe = "no-dedupe",
        /// The transaction is committed although one of its statements failed.
        ErrorSwallowed = "error-swallowed",
        /// The transaction is committed although another worker has changed one of its rows meanwhile.
        ConflictIgnored = "conflict-ignored",
        /// An outage of the database counts as an attempt.
        OutageBurnsAttempts = "outage-burns-attempts",
        /// A message is retried without an end.
        NoLimit = "no-limit",
        /// A retry does not raise the number of attempts.
        AttemptsForgotten = "attempts-forgotten",
        /// A delay queue loses a message that the domain's queue does not take back.
        AtMostOnceRetries = "at-most-once-retries",
        /// The API responds 202 without waiting for the broker's confirm.
        AcceptedBeforeConfirm = "accepted-before-confirm",
    }
}
