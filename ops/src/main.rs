//! The operator's toolbox as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    millrace_ops::main()
}
