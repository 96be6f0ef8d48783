//! Tools that are not built here: found on this machine, or installed.

use std::io::ErrorKind;
use std::process::Command;

use millrace_stack::services::install;

use crate::error::Error;

/// Installs a tool if it is missing. Its name is also that of its Debian package.
pub fn need(tool: &'static str) -> Result<(), Error> {
    match Command::new(tool).arg("--version").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        _ => return Ok(()),
    }
    if !install::possible() {
        return Err(Error::NoTool { tool });
    }
    Ok(install::install(&[tool])?)
}
