//! Each task of each program panics once: the program ends with an error, and does not go on without that task.

use millrace_faults::Task;

use crate::crash_points::api;
use crate::crash_points::program::Programs;
use crate::crash_points::stack::Stack;
use crate::crash_points::worker::environment;
use crate::report::{Outcome, Scenario};

/// As `--only` calls it.
pub const NAME: &str = "tasks";
/// Of a process that a panic has ended.
const EXIT_BUG: i32 = 70;

const WORKER: [Task; 8] = [
    Task::BrokerConnection,
    Task::PublishChannel,
    Task::Replier,
    Task::Lane,
    Task::BrokerWatch,
    Task::Probes,
    Task::Signals,
    Task::Metrics,
];
const API: [Task; 10] = [
    Task::BrokerConnection,
    Task::PublishChannel,
    Task::ReplyQueue,
    Task::BrokerWatch,
    Task::DatabaseWatch,
    Task::FlowWatcher,
    Task::KeyUsageLog,
    Task::HttpServer,
    Task::Signals,
    Task::Metrics,
];

/// Runs all of them, one after the other.
pub async fn run(programs: &Programs) -> Outcome {
    let mut scenario = Scenario::begin(NAME);
    let stack = Stack::open().await;
    for task in Task::ALL.iter().filter(|task| !WORKER.contains(task) && !API.contains(task)) {
        scenario.violation(format!("{} is no task of any program", task.name()));
    }
    let workers = WORKER.map(|task| ("orders-worker", task, environment(&stack, 1, 1)));
    let apis = API.map(|task| (api::PROGRAM, task, api::environment(&stack, 0)));
    for (program, task, mut environment) in workers.into_iter().chain(apis) {
        let name = format!("{NAME}/{program}/{}", task.name());
        environment.push(("MILLRACE_PANIC_IN", task.name().to_owned()));
        let ended = match programs.start(program, &name, &environment, None) {
            Ok(started) => started.ends_by_itself().await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(status) if status.code() == Some(EXIT_BUG) => {}
            Ok(status) => scenario.violation(format!("{name} panicked, and the program ended with {status}")),
            Err(error) => scenario.violation(format!("{name} panicked, and the program {error}")),
        }
    }
    stack.close(false).await;
    scenario.end(format!("{} panics, each the end of its program", WORKER.len() + API.len()))
}
