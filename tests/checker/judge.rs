//! Loads the evidence, checks the rules, and tells the verdict.

use crate::evidence::Evidence;
use crate::quiet::Quiet;
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::verdict::Verdict;
use crate::{recovery, rules};

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
