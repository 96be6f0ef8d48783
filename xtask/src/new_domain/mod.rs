//! `cargo xtask new-domain`: writes a domain that compiles, is tested and does something, to be made one's own.

mod derived;
mod files;
mod messages;
mod names;
mod template;
#[cfg(test)]
mod tests;

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use self::files::File;
use self::names::Names;
use crate::cargo::root;
use crate::error::Error;

pub use self::names::Refused;

/// Write a new domain: contracts, migration, rules, store, tests, worker, and every list that it belongs to.
///
/// It keeps one row for each id that the events have in common. The first event opens the row, each other event closes it,
/// and the command `<name>.complete` completes what is open and publishes `<name>.completed`. All of it compiles and is
/// tested: change it into what the domain is to do.
#[derive(Debug, Args)]
pub struct Options {
    /// 1 to 32 lower case letters, such as `shipping`
    name: String,
    /// Events of other domains, separated by commas, such as `orders.confirmed,orders.cancelled`
    #[arg(long, value_delimiter = ',', required = true)]
    subscribes: Vec<String>,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let began = Instant::now();
    let names = Names::new(&options.name, &options.subscribes, &messages::all(root())?)?;
    // Everything is known before anything is written, so that a refusal leaves nothing behind.
    let (own, listing) = (files::own(root(), &names)?, files::listing(root(), &names)?);
    own.iter().chain(&listing).try_for_each(write)?;
    derived::write(&names).await?;
    println!("{}", report(&names, &own, &listing)?);
    println!("new-domain: took {:.0} s", began.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn write(file: &File) -> Result<(), Error> {
    let path = root().join(&file.path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    fs::write(&path, &file.text).map_err(Error::file(path))
}

/// What was written, and what a person decides next.
fn report(names: &Names, own: &[File], listing: &[File]) -> Result<String, Error> {
    let domain = names.domain();
    let (mut told, mut lines) = (String::from("\nThe domain:\n"), 0);
    for file in own {
        let path = root().join(&file.path);
        let count = fs::read_to_string(&path).map_err(Error::file(path))?.lines().count();
        lines += count;
        told.push_str(&format!("  {count:>4} lines  {}\n", file.path));
    }
    told.push_str(&format!("  {lines:>4} lines in {} files\n\nIt is listed in:\n", own.len()));
    for file in listing {
        told.push_str(&format!("  {}\n", file.path));
    }
    told.push_str(&template::fill(include_str!("templates/next.txt"), names));
    told.push_str(&format!("\nRead the difference: git add --intent-to-add . && git diff\nTry it: cargo xtask up, then post {domain}.complete"));
    Ok(told)
}
