//! `ops` for this system's domains.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_ops::run(millrace_contracts::catalog())
}
