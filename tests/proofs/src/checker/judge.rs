//! Loads the evidence, checks the rules, and tells the verdict.

use crate::checker::evidence::Evidence;
use crate::checker::quiet::Quiet;
use crate::checker::settings::Settings;
use crate::checker::trouble::Trouble;
use crate::checker::verdict::Verdict;
use crate::checker::{recovery, rules};

/// Whether the promise held.
pub async fn judge(settings: &Settings, quiet: Option<Quiet>) -> Result<bool, Trouble> {
    let evidence = Evidence::load(settings).await?;
    if evidence.past.taken().next().is_none() {
        let last = evidence.past.submits.last().map_or("nothing was posted", |submit| submit.answer.reason());
        return Err(Trouble::NothingAccepted { last: last.to_owned() });
    }
    let verdict = Verdict::new(&evidence, rules::check(&evidence), recovery::measure(&evidence), quiet);
    verdict.write(&settings.history.join("verdict.json"))?;
    eprint!("{verdict}");
    Ok(verdict.holds)
}
