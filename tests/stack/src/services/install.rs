//! Installing programs with `apt-get`, without leaving services running that nobody asked for: the fourth source.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::watchdog::Watchdog;
use super::{LOG_TAIL_LINES, ServicesError, last_lines, private, say};

/// Debian asks this program whether a package may start its service; exit code 101 says no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Whether this is a machine on which we may.
#[must_use]
pub fn possible() -> bool {
    private::is_root() && Path::new("/etc/debian_version").exists() && Path::new("/usr/bin/apt-get").exists()
}

/// Installs these packages. Takes minutes, and says so.
///
/// # Errors
///
/// When `apt-get` can't.
pub fn install(packages: &[&str]) -> Result<(), ServicesError> {
    let names = packages.join(" and ");
    say(&format!("not on this machine yet: {names}; installing with apt-get (once, some minutes)"));
    // Newest first, the list of the watchdog reads: wait for apt-get, then remove the policy.
    let watchdog = Watchdog::start().map_err(ServicesError::io("starting the watchdog shell"))?;
    forbid_service_starts(&watchdog).map_err(ServicesError::io(format!("writing {POLICY}")))?;
    apt_get(&watchdog, &["update"])?;
    let install = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    apt_get(&watchdog, &install)
}

/// An administrator's own policy stays as it is.
fn forbid_service_starts(watchdog: &Watchdog) -> io::Result<()> {
    let ours = File::options().write(true).create_new(true).mode(0o755).open(POLICY);
    match ours {
        Ok(mut policy) => {
            watchdog.remove(Path::new(POLICY))?;
            policy.write_all(b"#!/bin/sh\nexit 101\n")
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn apt_get(watchdog: &Watchdog, arguments: &[&str]) -> Result<(), ServicesError> {
    let run = || {
        let log = tempfile::NamedTempFile::new()?;
        watchdog.remove(log.path())?;
        let mut apt_get = Command::new("apt-get")
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(log.reopen()?)
            .stderr(log.reopen()?)
            .spawn()?;
        watchdog.wait_for(apt_get.id())?;
        let status = apt_get.wait()?;
        watchdog.forget(apt_get.id())?;
        let said = fs::read(log.path())?;
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    };
    let (status, said) = run().map_err(ServicesError::io("running apt-get"))?;
    if status.success() {
        return Ok(());
    }
    Err(ServicesError::Install(last_lines(&said, LOG_TAIL_LINES)))
}
