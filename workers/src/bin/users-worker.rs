//! The worker of the domain `users`.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_runtime::main::<millrace_workers::users::Users>(millrace_contracts::catalog())
}
