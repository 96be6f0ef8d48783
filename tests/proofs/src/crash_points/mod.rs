//! `crash-points`: a program dies at every point of a message's life, and what was promised holds all the same.

mod api;
mod cases;
mod judge;
mod load;
mod poison;
mod program;
mod run;
mod stack;
mod tally;
mod tasks;
mod worker;

pub use run::{Options, run};
