//! A worker process: the settings of every worker, and how its lanes are put together, started and drained.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use millrace_broker::{
    Connection, ConnectionSettings, ConnectionStatus, ConsumerSettings, Publisher, Replier,
};
use millrace_service::settings::{
    BrokerSettings, DatabaseSettings, DrainSettings, ProbeSettings, TelemetrySettings, count,
};
use millrace_service::{Check, Fatal, LogAlerts, Readiness, probes, process};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::effects::Effects;
use crate::runtime::calls::CallLimits;
use crate::runtime::clock::SystemClock;
use crate::runtime::database::{Database, Durability};
use crate::runtime::gather::Trusted;
use crate::runtime::pause::{self, Pauses};
use crate::runtime::probation::Probation;
use crate::runtime::settle::Place;
use crate::runtime::{Lane, Plant, QUEUE};
use crate::store::Store;

const BROKER: &str = "broker";
/// How long publishing waits for the broker's confirm before it is tried again.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// How long the broker has for answering that we go.
const FAREWELL_DEADLINE: Duration = Duration::from_secs(1);

/// The settings that every worker has.
#[derive(Debug, Clone, Args)]
pub struct WorkerSettings {
    /// Where RabbitMQ is.
    #[command(flatten)]
    pub broker: BrokerSettings,
    /// Where Postgres is.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// How the work is cut.
    #[command(flatten)]
    pub work: WorkSettings,
    /// Where probes are answered.
    #[command(flatten)]
    pub probes: ProbeSettings,
    /// How the process stops.
    #[command(flatten)]
    pub drain: DrainSettings,
    /// How it logs.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// How the work is cut.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Work")]
pub struct WorkSettings {
    /// How many batches are worked on at once (1 to 64); each has a broker channel and a database connection of its
    /// own. For more, start more processes
    #[arg(long = "worker-lanes", env = "WORKER_LANES", value_name = "COUNT", default_value = "2", value_parser = count::<1, 64>)]
    pub lanes: usize,
    /// How many messages a batch has at most (1 to 4096). A batch takes what is there and never waits to be filled
    #[arg(long = "worker-batch-max", env = "WORKER_BATCH_MAX", value_name = "MESSAGES", default_value = "256", value_parser = count::<1, 4096>)]
    pub batch_max: usize,
    /// How many messages the broker sends ahead to each lane (1 to 65535); should be twice the largest batch
    #[arg(long = "worker-prefetch", env = "WORKER_PREFETCH", value_name = "MESSAGES", default_value = "512", value_parser = count::<1, 65_535>)]
    pub prefetch: usize,
    /// Broker users whose messages are worked, separated by commas: the door's, the workers' own (they send follow-ups
    /// and retries) and the operators'. Messages of others are dead-lettered. Left out, whoever the broker lets
    /// publish is trusted
    #[arg(long, env = "TRUSTED_PRODUCERS", value_name = "USER,…", value_delimiter = ',')]
    pub trusted_producers: Vec<String>,
    /// Work even with a database that may forget what it has committed (fsync, full_page_writes or
    /// synchronous_commit off): for trying things out only
    #[arg(long, env = "DATABASE_MAY_FORGET", default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub database_may_forget: bool,
}

/// Runs a domain's worker until it is asked to stop.
///
/// Starts without broker and database, and waits for them: what orchestrates processes should not have to.
pub async fn run<D: Store, E: Effects<D>>(
    name: &'static str,
    settings: WorkerSettings,
    effects: E,
    call_limits: CallLimits,
    stop: CancellationToken,
) -> Result<(), Fatal> {
    let options = PgConnectOptions::from_str(settings.database.database_url.expose())
        .map_err(|error| Fatal::Misconfigured(format!("DATABASE_URL is not understood: {error}")))?;
    let readiness = Readiness::of(&[BROKER, pause::DATABASE, QUEUE]);
    let until_end = CancellationToken::new();
    probes::spawn(settings.probes.probes_listen, readiness.clone(), until_end.clone()).await?;

    let here = format!("{name}@{}", process::host_name());
    let connection = |purpose: &str| {
        let url = settings.broker.amqp_url.url().clone();
        Connection::open(ConnectionSettings::new(url, format!("{here} ({purpose})")))
    };
    let (consuming, publishing) = (connection("consumes"), connection("publishes"));
    tokio::spawn(watch_broker(consuming.clone(), publishing.clone(), readiness.clone()));
    let prefetch = u16::try_from(settings.work.prefetch).unwrap_or(u16::MAX);
    let plant = Arc::new(Plant {
        place: Place { domain: D::NAME, worker: format!("{here} {}", env!("CARGO_PKG_VERSION")) },
        consuming: consuming.clone(),
        consumer: ConsumerSettings {
            queue: D::NAME.name(),
            tag: format!("{here} {}", env!("CARGO_PKG_VERSION")),
            prefetch,
        },
        batch_max: settings.work.batch_max,
        publisher: Publisher::open(&publishing, settings.work.lanes, CONFIRM_DEADLINE),
        replier: Replier::open(&publishing),
        effects,
        call_limits,
        trusted: match settings.work.trusted_producers {
            users if users.is_empty() => Trusted::Anyone,
            users => Trusted::Users(users),
        },
        clock: Box::new(SystemClock),
        alerts: Box::new(LogAlerts),
        readiness: readiness.clone(),
        probation: Probation::new(prefetch),
    });
    let durability =
        if settings.work.database_may_forget { Durability::Waived } else { Durability::Required };
    let pauses = Pauses::new(readiness.clone());
    let mut lanes = JoinSet::new();
    for _ in 0..settings.work.lanes {
        let database = Database::new(options.clone(), name, durability);
        lanes.spawn(Lane::new(Arc::clone(&plant), database, pauses.lane()).run::<D>(stop.clone()));
    }

    let outcome = drain(&mut lanes, &stop, &readiness, settings.drain.drain_deadline).await;
    // A broker that is silent is not waited for: it notices by itself that we are gone.
    let farewell = async { tokio::join!(consuming.close(), publishing.close()) };
    let _ = tokio::time::timeout(FAREWELL_DEADLINE, farewell).await;
    until_end.cancel();
    outcome
}

/// Waits for the lanes; once they are asked to stop, for as long as the deadline allows.
async fn drain(
    lanes: &mut JoinSet<()>,
    stop: &CancellationToken,
    readiness: &Readiness,
    deadline: Duration,
) -> Result<(), Fatal> {
    let stopped = async {
        stop.cancelled().await;
        readiness.stopping();
        tokio::time::sleep(deadline).await;
    };
    let finished = async {
        while let Some(lane) = lanes.join_next().await {
            // A lane ends early only by a bug of the runtime itself; the whole process then starts afresh.
            if let Err(error) = lane {
                return Err(Fatal::because("A lane broke down", error));
            }
        }
        Ok(())
    };
    tokio::select! {
        outcome = finished => outcome,
        () = stopped => {
            tracing::warn!("What is still in flight after {deadline:?} will be done again by another worker");
            Ok(())
        }
    }
}

/// Reports how both connections are, at every change.
async fn watch_broker(consuming: Connection, publishing: Connection, readiness: Readiness) {
    let (mut first, mut second) = (consuming.status(), publishing.status());
    loop {
        let states = [first.borrow_and_update().clone(), second.borrow_and_update().clone()];
        let trouble = states.into_iter().find(|state| *state != ConnectionStatus::Up);
        let check = trouble.map_or(Check::Ready, |state| Check::NotReady(state.to_string()));
        readiness.set(BROKER, check);
        tokio::select! {
            changed = first.changed() => if changed.is_err() { return },
            changed = second.changed() => if changed.is_err() { return },
        }
    }
}
