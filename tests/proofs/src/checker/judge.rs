//! Loads the evidence, checks the rules, and tells the verdict.

use millrace_contracts::catalog;

use crate::checker::options::Options;
use crate::checker::quiet::Quiet;
use crate::checker::recovery;
use crate::checker::verdict::Verdict;
use crate::error::Error;
use crate::evidence::{self, Evidence, dead_letters, queues};
use crate::history::{self, History};
use crate::{connections, invariants};

/// Whether the promise held, also written where people look for it later.
pub async fn judge(options: &Options, quiet: Option<Quiet>) -> Result<Verdict, Error> {
    let evidence = load(options).await?;
    if evidence.history.accepted().next().is_none() {
        let last = evidence.history.submits.last();
        let last = last.map_or("nothing was posted", |submit| submit.answer.reason());
        return Err(Error::new(
            "no job was accepted, so there is nothing to check; the last answer was",
            last,
        ));
    }
    let verdict = Verdict::new(&evidence, invariants::check(&evidence), recovery::measure(&evidence), quiet);
    verdict.write(&options.history.join("verdict.json"))?;
    Ok(verdict)
}

async fn load(options: &Options) -> Result<Evidence, Error> {
    let pool = connections::database(&options.endpoints.database_url)?;
    let read = evidence::read(&pool).await.map_err(Error::doing("reading the evidence"))?;
    Ok(Evidence {
        history: History::of(history::read(&options.history.join("history.jsonl"))?),
        faults: history::read(&options.history.join("faults.jsonl"))?,
        client: options.client.clone(),
        domains: catalog().domains().to_vec(),
        sessions_max: options.sessions_max,
        queues: queues(&options.endpoints).await?,
        letters: dead_letters(&options.endpoints).await?,
        ..read
    })
}
