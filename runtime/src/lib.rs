//! What a business domain is, and the machine that processes its messages: batches from a queue, through the domain's rules,
//! into Postgres.
//!
//! A domain implements [`Domain`] and [`Store`], and [`Effects`] where it calls an outside system; its program is one call
//! of [`main`]. To follow a batch, read `lane.rs`: its `Lane::process` takes the steps in order, and each has a file of its
//! own. Nothing here names a domain.

mod calls;
mod clock;
mod commit;
mod database;
mod decode;
mod isolation;
mod lane;
mod ledger;
mod pause;
mod reply;
mod session;
mod settle;
mod slow_start;
mod worker;

pub mod domain;
pub mod effects;
pub mod emit;
pub mod rows;
pub mod store;

#[cfg(test)]
mod tests;

pub use domain::{
    Answer, Call, Change, Context, Decision, Domain, Draft, Facts, Postpone, Refusal, Rejection,
};
pub use effects::{CallLimits, EffectFailure, Effects, NoEffects};
pub use rows::{DeletableRows, Rows};
pub use store::{SaveError, Store, TextEnum, all_written, stored};
pub use worker::{Worker, main};
