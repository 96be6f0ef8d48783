//! The worker of the domain `payments`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<millrace_workers::payments::Payments>(millrace_contracts::catalog())
}
