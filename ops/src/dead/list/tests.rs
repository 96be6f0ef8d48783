//! A dead letter as it is listed.

use super::*;

#[test]
fn a_letter_is_listed_with_what_its_headers_say() {
    let some = |text: &str| Some(text.to_owned());
    let whole = DeadLetter {
        message_id: some("m"),
        job_id: some("j"),
        message_type: some("stamps.charge"),
        class: some("effect"),
        reason: some("the gateway is silent"),
        failed_at: some("2026-11-22T12:00:00Z"),
        failed_by: some("stamps-worker@host 0.1.0"),
        attempt: Some(8),
    };
    let first_of_its_job = DeadLetter { job_id: some("m"), attempt: None, ..whole.clone() };
    let foreign = DeadLetter::default();
    let shown = [whole, first_of_its_job, foreign].map(|letter| in_words(&letter)).join("\n");
    insta::assert_snapshot!(shown, @"
    m stamps.charge of job j
      effect, attempt 8 on 2026-11-22T12:00:00Z by stamps-worker@host 0.1.0: the gateway is silent
    m stamps.charge
      effect on 2026-11-22T12:00:00Z by stamps-worker@host 0.1.0: the gateway is silent
    (a message without an id) (of no type)
      unknown: no reason given
    ");
}
