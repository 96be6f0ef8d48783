//! `crash-points`: a program dies at every point of a message's life, and what was promised holds all the same.

mod arena;
mod cases;
mod door;
mod killers;
mod load;
mod post_mortem;
mod program;
mod run;
mod tally;
mod worker;

pub use run::{Options, run};
