//! Tools that are not built here: found on this machine, or installed.

use std::io::ErrorKind;
use std::process::Command;

use millrace_stack::services::install;

use crate::trouble::Trouble;

/// Makes sure that a tool is there, whose name is also that of its Debian package.
pub fn need(tool: &'static str) -> Result<(), Trouble> {
    match Command::new(tool).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        _ => return Ok(()),
    }
    if !install::possible() {
        return Err(Trouble::NoTool { tool });
    }
    Ok(install::install(&[tool])?)
}
