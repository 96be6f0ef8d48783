//! `ops` once more, as a program that a test can start.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_ops::run(millrace_contracts::catalog())
}
