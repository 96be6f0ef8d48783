//! What there is in the model: the broker's queues, two workers, the database, and how much may still go wrong.

/// What a command does to whoever works on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Succeeds, and sends out a follow-up.
    Good,
    /// The business says no.
    Refused,
    /// Fails or succeeds as it pleases.
    Flaky,
    /// Fails each time.
    Broken,
    /// Can't be read.
    Unreadable,
    /// Takes the process with it.
    Killer,
}

/// The two commands, by position.
pub type Command = usize;
pub const COMMANDS: [Command; 2] = [0, 1];

/// A follow-up of a command. Its id follows from the command alone: the generation only rises in a mutant that gives
/// out new ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FollowUp {
    pub of: Command,
    pub generation: u8,
}

/// One copy of a command, somewhere at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    pub command: Command,
    /// Counted from 1.
    pub attempt: u8,
    /// `x-delivery-count`.
    pub returns: u8,
}

impl Message {
    pub fn new(command: Command) -> Self {
        Self { command, attempt: 1, returns: 0 }
    }

    pub fn was_redelivered(&self) -> bool {
        self.returns > 0
    }
}

/// Why a message is in the queue of dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    Unreadable,
    Attempts,
    Crash,
    /// The broker's own doing.
    DeliveryLimit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Succeeded,
    Refused,
    Retrying,
    Dead,
}

/// A ledger row; follow-ups are stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    pub status: Status,
    pub attempt: u8,
    pub emitted: Option<FollowUp>,
}

impl Row {
    /// Whether a copy of the message is not processed any more.
    pub fn suppresses(self) -> bool {
        matches!(self.status, Status::Succeeded | Status::Refused)
    }
}

/// Published for a batch after its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outgoing {
    FollowUp(FollowUp),
    Retry(Message),
    DeadLetter(Command, Why),
}

/// How far a worker is with its batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Idle,
    /// A returned delivery that is alone, and the start of whose attempt is not recorded yet.
    Redelivered,
    /// To be looked up; `given_up` when it has crashed too often to be run once more.
    Ready {
        given_up: bool,
    },
    /// In the transaction.
    LookedUp {
        given_up: bool,
        seen: [bool; 2],
    },
    /// Committed; everything before `next` is confirmed.
    Emitting {
        outgoing: Vec<Outgoing>,
        next: usize,
    },
    /// All confirmed, nothing acknowledged.
    Confirmed,
}

/// A worker process with one lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker {
    /// Delivered and not begun.
    pub buffer: Vec<Message>,
    /// Being processed.
    pub batch: Vec<Message>,
    pub phase: Phase,
    /// Whether the batch's deliveries are this worker's still. Otherwise the broker has taken them back, and the
    /// worker does not know it.
    pub connected: bool,
    /// Prefetch is 1 until a message comes that was never returned.
    pub slow_start: bool,
    /// Only a mutant acknowledges what it has not finished.
    pub acknowledged: bool,
}

impl Worker {
    fn new() -> Self {
        Self {
            buffer: Vec::new(),
            batch: Vec::new(),
            phase: Phase::Idle,
            connected: true,
            slow_start: true,
            acknowledged: false,
        }
    }

    /// Forgets its batch and, if it lost its subscription, makes a new one.
    pub fn start_over(&mut self) {
        if !self.connected {
            self.buffer.clear();
            self.slow_start = true;
        }
        self.batch.clear();
        self.phase = Phase::Idle;
        self.connected = true;
        self.acknowledged = false;
    }

    /// What the broker would send again if this worker were gone.
    pub fn unacknowledged(&self) -> impl Iterator<Item = Message> {
        let batch = if self.connected && !self.acknowledged { self.batch.as_slice() } else { &[] };
        batch.iter().chain(&self.buffer).copied()
    }
}

/// How much may still go wrong by itself. What a message does to the process that works on it is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Budget {
    pub crashes: u8,
    /// Lost connections, nacks and confirms, database outages, lost answers to COMMIT, copies from the publisher.
    pub mishaps: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub kinds: [Kind; 2],
    pub workers: [Worker; 2],
    /// The domain's queue. Its order is left open, which covers every order that a broker may choose.
    pub queue: Vec<Message>,
    /// In a delay queue.
    pub delayed: Vec<Message>,
    /// Dead letters. That one may be there twice does not matter.
    pub dead: Vec<(Command, Why)>,
    /// The queue of the domain that subscribes to the follow-ups.
    pub downstream: Vec<FollowUp>,
    /// What that domain has done: its ledger and its rows.
    pub delivered: Vec<FollowUp>,
    pub database_up: bool,
    pub ledger: [Option<Row>; 2],
    /// Runs of a returned delivery that were begun and not settled.
    pub runs: [u8; 2],
    /// Domain rows: how often each command took effect.
    pub effects: [u8; 2],
    pub budget: Budget,
    /// How much of it was used up by crashes.
    pub crashes: u8,
    /// How many copies the publisher sent on its own.
    pub copies: u8,
    /// How often a message took the process with it.
    pub kills: u8,
}

impl State {
    pub fn new(kinds: [Kind; 2], budget: Budget) -> Self {
        Self {
            kinds,
            workers: [Worker::new(), Worker::new()],
            queue: COMMANDS.map(Message::new).to_vec(),
            delayed: Vec::new(),
            dead: Vec::new(),
            downstream: Vec::new(),
            delivered: Vec::new(),
            database_up: true,
            ledger: [None; 2],
            runs: [0; 2],
            effects: [0; 2],
            budget,
            crashes: 0,
            copies: 0,
            kills: 0,
        }
    }

    /// Every copy of a command that the broker still has to deliver or to be told of.
    pub fn pending(&self, command: Command) -> bool {
        let held = self.workers.iter().flat_map(Worker::unacknowledged);
        let waiting = self.queue.iter().chain(&self.delayed).copied();
        waiting.chain(held).any(|message| message.command == command)
    }

    pub fn is_dead(&self, command: Command) -> bool {
        self.dead.iter().any(|(dead, _)| *dead == command)
    }

    pub fn succeeded(&self, command: Command) -> bool {
        self.ledger[command].is_some_and(|row| row.status == Status::Succeeded)
    }

    /// Puts what differs only by order or by a worker's name into one form.
    pub fn canonical(mut self) -> Self {
        self.workers.sort();
        self.queue.sort();
        self.delayed.sort();
        self.dead.sort();
        self.dead.dedup();
        self.downstream.sort();
        self.delivered.sort();
        self
    }
}
