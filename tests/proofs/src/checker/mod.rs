//! `checker`: posts the load, keeps a history of it, and says afterwards whether the promise held. It is never killed.

mod draw;
mod evidence;
mod follow;
mod history;
mod inject;
mod judge;
mod load;
mod meters;
mod places;
mod quiet;
mod recovery;
mod rules;
mod run;
mod settings;
mod trouble;
mod verdict;

use std::process::ExitCode;

pub use settings::Settings;

/// Exit code of a run that says nothing about the promise.
const NOT_CHECKED: u8 = 2;

pub async fn run(settings: Settings) -> ExitCode {
    match run::run(settings).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("checker: nothing can be said about the promise: {trouble}");
            ExitCode::from(NOT_CHECKED)
        }
    }
}
