//! The track on which programs are killed, stopped and frozen.

use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::program::Program;
use millrace_testkit::stack::signal::Signal;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Step, Target};
use crate::chaos::shared::Shared;
use crate::error::Error;
use crate::history::Fault;

/// Longer than the programs' own deadline for finishing what they have begun.
pub const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// A program needs some milliseconds until it listens for signals; on a busy machine some more.
const LISTENS_AFTER: Duration = Duration::from_secs(1);

/// Performs the steps at their times. A step waits for its target while that has another fault.
pub async fn run(shared: Arc<Shared>, steps: Vec<Step>) {
    let mut under_way = JoinSet::new();
    let count = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        sleep(step.after).await;
        shared.at("programs", format!("step {} of {count}: {} of {}", index + 1, step.kind, step.target));
        under_way.spawn(perform(Arc::clone(&shared), step));
        while under_way.try_join_next().is_some() {}
    }
    shared.at("programs", "waiting for the last steps".to_owned());
    while under_way.join_next().await.is_some() {}
    shared.at("programs", "done".to_owned());
}

async fn perform(shared: Arc<Shared>, step: Step) {
    let Step { kind, target, .. } = &step;
    match inject(&shared, &step).await {
        Ok(fault) => shared.record(*kind, fault),
        Err(error) => shared.surprise(format!("{kind} of {target} could not be done: {error}")),
    }
}

async fn inject(shared: &Shared, step: &Step) -> Result<Fault, Error> {
    let units = match &step.target {
        Target::Domain(domain) => shared.units.workers_of(domain).collect(),
        Target::Program(name) => shared.units.named(name).into_iter().collect(),
        _ => Vec::new(),
    };
    // Always in the same order, so that two who want several cannot wait for each other.
    let mut programs = Vec::new();
    for unit in units {
        let mut program = Arc::clone(&unit.program).lock_owned().await;
        still_there(shared, &mut program)?;
        programs.push(program);
    }
    let fault = Fault::begins(step.kind, &step.target);
    for program in &mut programs {
        match step.kind {
            Kind::WorkerPaused | Kind::WorkerFrozen | Kind::ApiPaused => program.signal(Signal::STOP)?,
            Kind::WorkerStopped | Kind::ApiStopped => stop(shared, program).await?,
            Kind::WorkerCutShort => {
                sleep(LISTENS_AFTER.saturating_sub(program.age())).await;
                program.signal(Signal::TERM)?;
                if program.end_within(step.hold).await.is_none() {
                    program.kill()?;
                }
            }
            _ => drop(program.kill()?),
        }
    }
    if step.kind != Kind::WorkerCutShort {
        sleep(step.hold).await;
    }
    for program in &mut programs {
        match step.kind {
            Kind::WorkerPaused | Kind::WorkerFrozen | Kind::ApiPaused => program.signal(Signal::CONT)?,
            _ => program.start_again(&shared.units.watchdog)?,
        }
    }
    Ok(fault)
}

/// A program that nobody has touched runs; otherwise it is noted and started again.
pub fn still_there(shared: &Shared, program: &mut OwnedMutexGuard<Program>) -> Result<(), Error> {
    if let Some(status) = program.ended() {
        let tail = program.log_tail();
        let last: Vec<&str> = tail.lines().rev().take(3).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        shared.surprise(format!(
            "{} ended by itself ({status}); its last words:\n{}",
            program.name,
            last.join("\n")
        ));
        program.start_again(&shared.units.watchdog)?;
    }
    Ok(())
}

/// Asks a program to stop, and notes when it does not do so in time and cleanly.
pub async fn stop(shared: &Shared, program: &mut Program) -> Result<(), Error> {
    // Before it can listen for signals, one ends it at once.
    sleep(LISTENS_AFTER.saturating_sub(program.age())).await;
    program.signal(Signal::TERM)?;
    match program.end_within(STOP_DEADLINE).await {
        Some(status) if status.success() => {}
        Some(status) => {
            shared.surprise(format!("{} was asked to stop and ended with {status}", program.name))
        }
        None => {
            let waited = STOP_DEADLINE.as_secs();
            shared.surprise(format!("{} was asked to stop and still ran after {waited} s", program.name));
            program.kill()?;
        }
    }
    Ok(())
}
