//! The worker of the domain `{{domain}}`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<millrace_workers::{{domain}}::{{Domain}}>(millrace_contracts::catalog())
}
