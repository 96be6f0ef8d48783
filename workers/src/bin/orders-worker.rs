//! The worker of the domain `orders`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<millrace_workers::orders::Orders>(millrace_contracts::catalog())
}
