//! What a business domain is, and the machine that processes its messages: batches from a queue, through the domain's rules,
//! into Postgres. Nothing here names a domain.
//!
//! # What you get
//!
//! - **To write rules**: [`Domain`], over [`Facts`] that are made of [`Rows`] or [`DeletableRows`]. A rule gets a [`Context`] and
//!   gives a [`Decision`], or a [`Rejection`]: a [`Refusal`] or a [`Postpone`]. [`Change`], [`Call`] and [`Answer`] are short for
//!   a domain's own types.
//! - **To write a store**: [`Store`]; [`Changed`] rows; [`all_written`] or a [`SaveError`]; [`TextEnum`] and [`stored`] for columns
//!   of text.
//! - **To call an outside system**: [`Effects`] within [`CallLimits`], or an [`EffectFailure`]. A domain without has [`NoEffects`].
//! - **To run it**: [`main`] is a worker's whole program. A [`Worker`] runs within another process, such as that of a test.
//! - **To measure or test the runtime**: [`emit`] turns each [`Draft`] into what the ledger keeps and what is published.
//!
//! # Where to read
//!
//! To follow a batch, read `lane.rs`: its `Lane::process` takes the steps in order, and each has a file of its own.
#![warn(missing_docs)]

mod calls;
mod clock;
mod commit;
mod database;
mod decode;
mod domain;
mod effects;
mod isolation;
mod lane;
mod ledger;
mod pause;
mod reply;
mod rows;
mod session;
mod settle;
mod slow_start;
mod store;
mod worker;

pub mod emit;

#[cfg(test)]
mod tests;

pub use domain::{
    Answer, Call, Change, Context, Decision, Domain, Draft, Facts, Postpone, Refusal, Rejection,
};
pub use effects::{CallLimits, EffectFailure, Effects, NoEffects};
pub use rows::{Changed, DeletableRows, Rows};
pub use store::{SaveError, Store, TextEnum, all_written, stored};
pub use worker::{Worker, main};
