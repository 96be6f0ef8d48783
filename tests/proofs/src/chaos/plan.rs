//! The schedule of a campaign, drawn from its seed before anything starts.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use millrace_contracts::catalog;
use millrace_protocol::DomainName;

use crate::chaos::fault::{Kind, Step, Target, Way};
use millrace_testkit::random::Random;
use millrace_testkit::system::tables;

/// How many APIs, and how many workers of each domain, a campaign has.
pub const EACH: usize = 2;
/// Of all faults, this many in a hundred happen to servers and ways, which take longer than those of programs.
const OF_A_HUNDRED: usize = 28;
/// Killing a server is what matters most, so it comes up more often than the rest.
const KILLS_PER_ROUND: usize = 4;
/// What a server needs to come back, roughly.
const BROKER_BACK: Duration = Duration::from_secs(6);
const DATABASE_BACK: Duration = Duration::from_millis(1200);
/// However long a fault takes, it is over for a moment before the next one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// `rabbitmqctl` starts a virtual machine of its own.
const CONTROL: Duration = Duration::from_millis(1500);

/// What will happen: two tracks side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// From which it was drawn.
    pub seed: u64,
    /// Each step begins so long after the one before began, unless its target is still busy.
    pub programs: Vec<Step>,
    /// One at a time.
    pub infrastructure: Vec<Step>,
}

impl Plan {
    /// This many faults.
    pub fn draw(seed: u64, faults: usize) -> Self {
        let infrastructure = faults * OF_A_HUNDRED / 100;
        Self {
            seed,
            programs: programs(&mut Random::stream(seed, 1), faults - infrastructure),
            infrastructure: infrastructure_steps(&mut Random::stream(seed, 2), infrastructure),
        }
    }

    /// A short one of nothing but these kinds and of workers that are killed: to show what one of them would show.
    pub fn of(seed: u64, kinds: &[(Kind, Option<Way>)], over: Duration) -> Self {
        let (mut random, mut other_random) = (Random::stream(seed, 3), Random::stream(seed, 4));
        let mut plan = Self { seed, programs: Vec::new(), infrastructure: Vec::new() };
        while !kinds.is_empty() && plan.takes() < over {
            let (kind, way) = random.pick(kinds);
            plan.infrastructure.push(infrastructure_step(&mut random, kind, way));
        }
        while plan.takes_programs() < over {
            let kind = other_random.pick(&[
                Kind::WorkerKilled,
                Kind::WorkerKilled,
                Kind::DomainKilled,
                Kind::ApiKilled,
            ]);
            plan.programs.push(program_step(&mut other_random, kind));
        }
        plan
    }

    /// Faults of the infrastructure alone, one each so often, for so long.
    pub fn soak(seed: u64, every: Duration, over: Duration) -> Self {
        let count = usize::try_from(over.as_secs() / every.as_secs().max(1)).unwrap_or_default();
        let mut infrastructure = infrastructure_steps(&mut Random::stream(seed, 2), count);
        for step in &mut infrastructure {
            step.after = every.saturating_sub(step.hold + coming_back(step.kind)).max(PAUSE_MIN);
        }
        Self { seed, programs: Vec::new(), infrastructure }
    }

    /// How many faults it has.
    pub fn faults(&self) -> usize {
        self.programs.len() + self.infrastructure.len()
    }

    /// How long it takes, roughly.
    pub fn takes(&self) -> Duration {
        let infrastructure: Duration =
            self.infrastructure.iter().map(|step| step.after + step.hold + coming_back(step.kind)).sum();
        self.takes_programs().max(infrastructure)
    }

    fn takes_programs(&self) -> Duration {
        self.programs.iter().map(|step| step.after).sum()
    }
}

fn coming_back(kind: Kind) -> Duration {
    match kind {
        Kind::BrokerKilled | Kind::BrokerRestarted => BROKER_BACK,
        Kind::DatabaseKilled | Kind::DatabaseRestarted => DATABASE_BACK,
        Kind::MemoryAlarm | Kind::DiskAlarm | Kind::QueueDown => CONTROL * 2,
        _ => Duration::ZERO,
    }
}

/// Rounds in which every item comes up once, each in an order of its own.
fn rounds<T: Clone>(random: &mut Random, round: &[T], count: usize) -> Vec<T> {
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let mut items = round.to_vec();
        random.shuffle(&mut items);
        drawn.extend(items);
    }
    drawn.truncate(count);
    drawn
}

fn programs(random: &mut Random, count: usize) -> Vec<Step> {
    let mut round = vec![Kind::WorkerKilled; 14];
    round.extend([Kind::WorkerPaused; 4]);
    round.extend([Kind::WorkerStopped; 3]);
    round.extend([Kind::WorkerCutShort; 2]);
    round.extend([Kind::DomainKilled; 2]);
    round.extend([Kind::ApiKilled; 4]);
    round.extend([Kind::ApiPaused, Kind::ApiStopped, Kind::WorkerFrozen]);
    let kinds = rounds(random, &round, count);
    kinds.into_iter().map(|kind| program_step(random, kind)).collect()
}

fn program_step(random: &mut Random, kind: Kind) -> Step {
    let after = random.millis(1600, 3600);
    let number = 1 + random.below(EACH);
    let domain = random.pick(catalog().domains()).as_str();
    let target = match kind {
        Kind::ApiKilled | Kind::ApiPaused | Kind::ApiStopped => {
            Target::Program(format!("producer-api-{number}"))
        }
        Kind::DomainKilled => Target::Domain(domain),
        _ => Target::Program(format!("{domain}-worker-{number}")),
    };
    let hold = match kind {
        Kind::WorkerFrozen => random.millis(25_000, 35_000),
        Kind::WorkerPaused | Kind::ApiPaused => random.millis(1000, 5000),
        Kind::WorkerCutShort => Duration::from_secs(1),
        _ => random.millis(50, 1500),
    };
    Step { after, kind, target, hold }
}

fn infrastructure_steps(random: &mut Random, count: usize) -> Vec<Step> {
    let mut round: Vec<(Kind, Option<Way>)> = Kind::OF_SERVERS.into_iter().map(|kind| (kind, None)).collect();
    for kind in [Kind::BrokerKilled, Kind::DatabaseKilled] {
        round.extend([(kind, None); KILLS_PER_ROUND - 1]);
    }
    for way in Way::ALL {
        round.extend(Kind::OF_EVERY_WAY.into_iter().map(|kind| (kind, Some(way))));
    }
    round.push((Kind::CommitCut, Some(Way::Database)));
    let kinds = rounds(random, &round, count);
    kinds.into_iter().map(|(kind, way)| infrastructure_step(random, kind, way)).collect()
}

/// A publisher learns that an event reached no queue, but not that it reached only one of two.
fn with_one_subscriber() -> Vec<(DomainName, &'static str)> {
    let events = catalog().entries().iter().filter(|entry| entry.kind == millrace_protocol::Kind::Event);
    let alone = events.filter_map(|event| match event.handlers() {
        [only] => Some((*only, event.message_type)),
        _ => None,
    });
    alone.collect()
}

fn infrastructure_step(random: &mut Random, kind: Kind, way: Option<Way>) -> Step {
    let after = random.millis(1000, 3000);
    let target = match kind {
        Kind::QueueFull | Kind::QueueDown => Target::Domain(random.pick(catalog().domains()).as_str()),
        Kind::BindingGone => {
            let (domain, event) = random.pick(&with_one_subscriber());
            Target::Event(domain, event)
        }
        Kind::SessionsCut => Target::Sessions(random.pick(&[1, 3, 10])),
        Kind::TableLocked | Kind::TableReadOnly | Kind::TableHidden => Target::Table(random.pick(&tables())),
        Kind::DatabaseKilled | Kind::DatabaseRestarted | Kind::DatabaseFrozen | Kind::SessionsExhausted => {
            Target::Database
        }
        _ => way.map_or(Target::Broker, Target::Way),
    };
    let hold = match kind {
        Kind::BrokerFrozen | Kind::DatabaseFrozen => random.millis(1000, 8000),
        Kind::MemoryAlarm | Kind::DiskAlarm => random.millis(2000, 6000),
        Kind::QueueFull | Kind::QueueDown | Kind::BindingGone | Kind::SessionsExhausted => {
            Duration::from_secs(3)
        }
        Kind::TableLocked => random.millis(1000, 7000),
        // Longer than a worker waits for a lock, so that it is refused.
        Kind::TableReadOnly => random.millis(5500, 8000),
        Kind::TableHidden => random.millis(500, 3000),
        // Longer than any heartbeat and deadline now and then, so that half-open connections are found.
        Kind::HoleToServer | Kind::HoleToClient | Kind::HoleBoth => match random.below(5) {
            0 => random.millis(20_000, 25_000),
            _ => random.millis(1000, 6000),
        },
        Kind::Delay | Kind::Trickle => random.millis(2000, 6000),
        Kind::Reset | Kind::FrameCut | Kind::CommitCut => random.millis(300, 2000),
        _ => random.millis(50, 1500),
    };
    Step { after, kind, target, hold }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (track, steps) in [("programs", &self.programs), ("infrastructure", &self.infrastructure)] {
            writeln!(f, "{track}: {} faults", steps.len())?;
            for (number, step) in steps.iter().enumerate() {
                let (after, hold) = (step.after.as_secs_f64(), step.hold.as_secs_f64());
                writeln!(
                    f,
                    "{:>6}  +{after:<6.3} {:<18} {:<20} {hold:.3} s",
                    number + 1,
                    step.kind,
                    step.target
                )?;
            }
        }
        write!(
            f,
            "{} faults in about {} s, drawn from seed {}",
            self.faults(),
            self.takes().as_secs(),
            self.seed
        )
    }
}
