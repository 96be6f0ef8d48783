//! A worker process: the settings of every worker, and how its lanes are put together, started and drained.

use std::ffi::OsString;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use millrace_broker::{
    Connection, ConnectionSettings, ConnectionStatus, ConsumerSettings, Publisher, Replier,
};
use millrace_faults::{Task, task};
use millrace_protocol::Catalog;
use millrace_service::settings::{
    BrokerSettings, DatabaseSettings, DrainSettings, ProbeSettings, Settings, SettingsError,
    TelemetrySettings, count, millis, read_from,
};
use millrace_service::{Check, Fatal, Liveness, LogAlerts, Readiness, probes, process};
use sqlx::postgres::PgConnectOptions;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::database::{Database, Durability};
use crate::decode::Trusted;
use crate::effects::Effects;
use crate::lane::{Lane, LaneContext, QUEUE};
use crate::pause::{self, Pause};
use crate::session::{Handler, Session};
use crate::slow_start::SlowStart;
use crate::store::Store;

const BROKER: &str = "broker";
/// How long publishing waits for the broker's confirm before it is tried again.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// How long the broker has to confirm that a connection closes.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// The settings that every worker has.
#[derive(Debug, Clone, Args)]
pub struct WorkerSettings {
    /// Where RabbitMQ is.
    #[command(flatten)]
    pub broker: BrokerSettings,
    /// Where Postgres is.
    #[command(flatten)]
    pub database: DatabaseSettings,
    /// How messages are taken from the queue and cut into batches.
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

/// How messages are taken from the queue and cut into batches.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Work")]
pub struct WorkSettings {
    /// How many batches are processed at once (1 to 64); each has a broker channel and a database connection of its
    /// own. For more, start more processes
    #[arg(long = "worker-lanes", env = "WORKER_LANES", value_name = "COUNT", default_value = "2", value_parser = count::<1, 64>)]
    pub lanes: usize,
    /// How many messages a batch has at most (1 to 4096). A batch takes what is there and never waits to be filled
    #[arg(long = "worker-batch-max", env = "WORKER_BATCH_MAX", value_name = "MESSAGES", default_value = "256", value_parser = count::<1, 4096>)]
    pub batch_max: usize,
    /// How many messages the broker sends ahead to each lane (1 to 65535); should be twice the largest batch
    #[arg(long = "worker-prefetch", env = "WORKER_PREFETCH", value_name = "MESSAGES", default_value = "512", value_parser = count::<1, 65_535>)]
    pub prefetch: usize,
    /// Broker users whose messages are processed, separated by commas: the API's, the workers' own (they send follow-ups
    /// and retries) and the operators'. Messages of others are dead-lettered. Left out, everybody whom the broker lets
    /// publish is trusted
    #[arg(long, env = "TRUSTED_PRODUCERS", value_name = "USER,…", value_delimiter = ',')]
    pub trusted_producers: Vec<String>,
    /// How long a lane may show no sign of life before /healthz answers 503, so that the process is restarted, in
    /// milliseconds (5000 to 3600000). What a lane waits for ends earlier: the longest deadline, a transaction's, is 30 s
    #[arg(
        long = "worker-stuck-after-ms", env = "WORKER_STUCK_AFTER_MS", value_name = "MILLISECONDS",
        default_value = "120000", value_parser = millis::<5000, 3_600_000>
    )]
    pub stuck_after: Duration,
    /// Work also with a database that may forget what it has committed (fsync, full_page_writes or
    /// synchronous_commit off): for trying things out only
    #[arg(long, env = "DATABASE_MAY_FORGET", default_value_t = false, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub database_may_forget: bool,
}

/// A domain's worker that has not started yet: its own settings and those of its outside system.
#[derive(Debug)]
pub struct Worker<D: Store> {
    settings: WorkerSettings,
    effects: <D::Effects as Effects>::Settings,
}

impl<D: Store> Settings for Worker<D> {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.settings.telemetry
    }
}

impl<D: Store> FromArgMatches for Worker<D> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self {
            settings: WorkerSettings::from_arg_matches(matches)?,
            effects: FromArgMatches::from_arg_matches(matches)?,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A worker's whole program: reads the settings, and processes the domain's messages until it is asked to stop.
#[must_use]
pub fn main<D: Store>(catalog: &'static Catalog) -> ExitCode {
    let command = Worker::<D>::command(catalog);
    process::run(command, async |worker: Worker<D>, stop| worker.run(catalog, stop).await)
}

impl<D: Store> Worker<D> {
    /// The worker with these flags, of which the first is the program's name, and the environment's variables.
    ///
    /// # Errors
    ///
    /// What is wrong with the flags or variables.
    pub fn parse(
        catalog: &Catalog,
        flags: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, SettingsError> {
        read_from(Self::command(catalog), flags).map(|(worker, _)| worker)
    }

    fn program() -> String {
        format!("{}-worker", D::NAME)
    }

    fn command(catalog: &Catalog) -> Command {
        let about = format!(
            "Processes the messages of the domain `{domain}`: consumes the queue `{domain}`, writes results to \
             Postgres, and publishes the events that follow.",
            domain = D::NAME
        );
        let command = Command::new(Self::program()).version(catalog.about().version).about(about);
        <D::Effects as Effects>::Settings::augment_args(WorkerSettings::augment_args(command))
    }

    /// Processes the domain's messages until it is asked to stop.
    ///
    /// Starts without broker and database, and waits for them: what orchestrates processes should not have to.
    ///
    /// # Errors
    ///
    /// The settings can't work, or a lane has ended by a bug of the runtime.
    pub async fn run(self, catalog: &'static Catalog, stop: CancellationToken) -> Result<(), Fatal> {
        let Self { settings, effects } = self;
        let options = PgConnectOptions::from_str(settings.database.database_url.expose())
            .map_err(|error| Fatal::Misconfigured(format!("DATABASE_URL is not understood: {error}")))?;
        let (effects, call_limits) = D::Effects::open(&effects)?;
        let readiness = Readiness::of(&[BROKER]).with_parts(settings.work.lanes, &[pause::DATABASE, QUEUE]);
        let liveness = Liveness::new(settings.work.stuck_after);
        let until_end = CancellationToken::new();
        probes::spawn(settings.probes.probes_listen, readiness.clone(), liveness.clone(), until_end.clone())
            .await?;

        let name = Self::program();
        let here = format!("{name}@{}", process::host_name());
        let worker = format!("{here} {}", catalog.about().version);
        let connection = |purpose: &str| {
            let url = settings.broker.amqp_url.url().clone();
            Connection::open(ConnectionSettings::new(url, format!("{here} ({purpose})")))
        };
        let (consuming, publishing) = (connection("consumes"), connection("publishes"));
        tokio::spawn(task(
            Task::BrokerWatch,
            watch_broker(consuming.clone(), publishing.clone(), readiness.clone()),
        ));
        let prefetch = u16::try_from(settings.work.prefetch).unwrap_or(u16::MAX);
        let handler = Arc::new(Handler { domain: D::NAME, worker: worker.clone(), catalog });
        let context = Arc::new(LaneContext {
            handler: Arc::clone(&handler),
            consuming: consuming.clone(),
            consumer: ConsumerSettings { queue: D::NAME.as_str(), tag: worker, prefetch },
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
            slow_start: SlowStart::new(prefetch),
        });
        let durability =
            if settings.work.database_may_forget { Durability::Waived } else { Durability::Required };
        let mut lanes = JoinSet::new();
        for number in 0..settings.work.lanes {
            let database = Database::new(options.clone(), &name, durability);
            let pause = Pause::new(readiness.clone(), number);
            let heartbeat = liveness.watch(format!("lane {number}"));
            let session = Session::new(Arc::clone(&handler), database, pause, heartbeat);
            let lane = Lane::<D>::new(number, Arc::clone(&context), session);
            lanes.spawn(task(Task::Lane, lane.run(stop.clone())));
        }

        let outcome = drain(&mut lanes, &stop, &readiness, settings.drain.drain_deadline).await;
        // A silent broker notices by itself that the connection is gone.
        let closed = async { tokio::join!(consuming.close(), publishing.close()) };
        let _ = tokio::time::timeout(CLOSE_DEADLINE, closed).await;
        until_end.cancel();
        outcome
    }
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
            match lane {
                Err(error) => return Err(Fatal::because("A lane broke down", error)),
                Ok(()) if !stop.is_cancelled() => {
                    return Err(Fatal::failed("A lane has ended before the worker was to stop"));
                }
                Ok(()) => {}
            }
        }
        Ok(())
    };
    tokio::select! {
        outcome = finished => outcome,
        () = stopped => {
            tracing::warn!("What is still in flight after {deadline:?} will be processed again by another worker");
            Ok(())
        }
    }
}

/// Reports the state of both connections, at every change.
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
