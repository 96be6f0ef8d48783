//! The AsyncAPI document, read by the official parser.

use std::process::Command;

use super::{copy, installed, is_current};
use crate::cargo::{self, run, run_quietly};
use crate::error::Error;

pub(super) fn check() -> Result<(), Error> {
    let folder = installed()?;
    if !is_current("package-lock.json", &folder) {
        copy("package.json", &folder)?;
        copy(".npmrc", &folder)?;
        copy("package-lock.json", &folder)?;
        println!("documents: installing the AsyncAPI parser");
        let mut install = Command::new("npm");
        install.args(["ci", "--silent"]).current_dir(&folder);
        if let Err(error) = run_quietly(install) {
            // The copy would say that the installation is complete.
            let _ = std::fs::remove_file(folder.join("package-lock.json"));
            return Err(error);
        }
    }
    // The script must lie beside the modules that it imports.
    copy("asyncapi.mjs", &folder)?;
    let mut parse = Command::new("node");
    parse.arg(folder.join("asyncapi.mjs")).arg("contracts/asyncapi.json").current_dir(cargo::root());
    run(parse)
}
