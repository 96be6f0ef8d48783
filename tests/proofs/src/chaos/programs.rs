//! The track on which programs are killed, stopped and frozen.

use std::sync::Arc;
use std::time::Duration;

use millrace_testkit::stack::StackError;
use millrace_testkit::stack::program::Program;
use millrace_testkit::stack::signal::Signal;
use time::OffsetDateTime;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::chaos::fault::{Kind, Step, Target};
use crate::chaos::stage::{Stage, Times};

/// Longer than the programs' own deadline for finishing what they have begun.
pub const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// A program needs some milliseconds until it listens for signals; on a busy machine some more.
const LISTENS_AFTER: Duration = Duration::from_secs(1);

/// Performs the steps at their times. A step waits for its target while that has another fault.
pub async fn run(stage: Arc<Stage>, steps: Vec<Step>) {
    let mut under_way = JoinSet::new();
    let count = steps.len();
    for (index, step) in steps.into_iter().enumerate() {
        sleep(step.after).await;
        stage.at("programs", format!("step {} of {count}: {} of {}", index + 1, step.kind, step.target));
        under_way.spawn(perform(Arc::clone(&stage), step));
        while under_way.try_join_next().is_some() {}
    }
    stage.at("programs", "waiting for the last steps".to_owned());
    while under_way.join_next().await.is_some() {}
    stage.at("programs", "done".to_owned());
}

async fn perform(stage: Arc<Stage>, step: Step) {
    let Step { kind, target, .. } = &step;
    match inject(&stage, &step).await {
        Ok((started, healed)) => stage.record(*kind, target, Times { started, healed, back: None }),
        Err(error) => stage.surprise(format!("{kind} of {target} could not be done: {error}")),
    }
}

async fn inject(stage: &Stage, step: &Step) -> Result<(OffsetDateTime, OffsetDateTime), StackError> {
    let units = match &step.target {
        Target::Domain(domain) => stage.workers_of(domain),
        Target::Program(name) => stage.unit(name).into_iter().collect(),
        _ => Vec::new(),
    };
    // Always in the same order, so that two who want several cannot wait for each other.
    let mut programs = Vec::new();
    for unit in units {
        let mut program = Arc::clone(&unit.program).lock_owned().await;
        still_there(stage, &mut program)?;
        programs.push(program);
    }
    let started = OffsetDateTime::now_utc();
    for program in &mut programs {
        match step.kind {
            Kind::WorkerPaused | Kind::WorkerFrozen | Kind::DoorPaused => program.signal(Signal::Stop)?,
            Kind::WorkerStopped | Kind::DoorStopped => stop(stage, program).await?,
            Kind::WorkerCutShort => {
                sleep(LISTENS_AFTER.saturating_sub(program.age())).await;
                program.signal(Signal::Terminate)?;
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
            Kind::WorkerPaused | Kind::WorkerFrozen | Kind::DoorPaused => program.signal(Signal::Continue)?,
            _ => program.start_again(&stage.watchdog)?,
        }
    }
    Ok((started, OffsetDateTime::now_utc()))
}

/// A program that nobody has touched runs; otherwise it is noted and started again.
pub fn still_there(stage: &Stage, program: &mut OwnedMutexGuard<Program>) -> Result<(), StackError> {
    if let Some(status) = program.ended() {
        let tail = program.log_tail();
        let last: Vec<&str> = tail.lines().rev().take(3).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        stage.surprise(format!(
            "{} ended by itself ({status}); its last words:\n{}",
            program.name,
            last.join("\n")
        ));
        program.start_again(&stage.watchdog)?;
    }
    Ok(())
}

/// Asks a program to stop, and notes when it does not do so in time and in good order.
pub async fn stop(stage: &Stage, program: &mut Program) -> Result<(), StackError> {
    // Before it can listen for signals, one ends it at once.
    sleep(LISTENS_AFTER.saturating_sub(program.age())).await;
    program.signal(Signal::Terminate)?;
    match program.end_within(STOP_DEADLINE).await {
        Some(status) if status.success() => {}
        Some(status) => stage.surprise(format!("{} was asked to stop and ended with {status}", program.name)),
        None => {
            let waited = STOP_DEADLINE.as_secs();
            stage.surprise(format!("{} was asked to stop and still ran after {waited} s", program.name));
            program.kill()?;
        }
    }
    Ok(())
}
