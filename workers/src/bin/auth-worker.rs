//! The worker of the domain `auth`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<millrace_workers::auth::Auth>(millrace_contracts::catalog())
}
