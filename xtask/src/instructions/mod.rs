//! `cargo xtask instructions`: what encoding, decoding and deciding cost in instructions, against a committed record.

mod comparison;
mod counting;
mod record;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::Args;

use crate::error::Error;
use comparison::Comparison;
use record::Record;

/// Count the instructions that a message costs in encoding, decoding and deciding, and compare them with the record.
///
/// Unlike times, they hardly change with how busy the machine is. Counts optimized code under valgrind, which is installed
/// where it is missing (Debian, as root). Where the instructions are spent is in target/instructions, for
/// callgrind_annotate. Exits 1 when a case costs more than its record allows, or is in only one of both.
#[derive(Debug, Args)]
pub struct Options {
    /// Write what was counted into the record, tests/instructions/recorded.json, instead of comparing
    #[arg(long)]
    renew: bool,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let valgrind = counting::valgrind()?;
    let program = counting::build()?;
    let now = Record { counted_with: counting::tools(&valgrind)?, per_message: counting::all(&program)? };
    let recorded = Record::read()?;
    let comparison = Comparison::of(&recorded.per_message, &now.per_message);
    println!("{comparison}");
    if options.renew {
        now.write()?;
        println!("The record is renewed; commit {} and say why.", record::PLACE);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", comparison.advice());
    if comparison.differs() && recorded.counted_with != now.counted_with {
        println!("\nThe record was made with other tools, which alone make some difference.");
        println!("  recorded: {}\n  now:      {}", recorded.counted_with, now.counted_with);
    }
    Ok(if comparison.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
