//! The worker of the domain `parcels`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<parcels::rules::Parcels>(parcels::catalog())
}
