//! `checker`: posts the load, keeps a history of it, and says afterwards whether the promise held. It is never killed.

mod follow;
mod inject;
mod judge;
pub mod options;
mod quiet;
mod recovery;
mod run;
mod verdict;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::error::Error;

pub use options::Options;
pub use run::Checker;
pub use verdict::Verdict;

/// Judges a system that runs already; whether the promise held.
pub async fn run(options: Options) -> Result<bool, Error> {
    let verdict = if options.only_judge {
        judge::judge(&options, None).await?
    } else {
        let mut checker = Checker::start(options).await?;
        println!("checker: posting; press Enter once nothing is broken any more");
        BufReader::new(stdin()).read_line(&mut String::new()).await?;
        println!("checker: {}", checker.counts());
        checker.verdict().await?
    };
    println!("{verdict}");
    Ok(verdict.holds)
}
