//! Whatever stands in a body, each message type either reads it, and reads what it writes, or says what is wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_contracts::catalog;

fuzz_target!(|data: &[u8]| {
    let Some((which, body)) = data.split_first() else { return };
    let entries = catalog().entries();
    let entry = &entries[usize::from(*which) % entries.len()];
    match entry.check(body) {
        Ok(written) => {
            let again = entry.check(&written).expect("what was written can be read");
            assert_eq!(again, written, "a second reading says the same");
        }
        Err(invalid) => {
            assert!(!invalid.violations().is_empty(), "a refusal says why");
            assert!(!invalid.to_string().is_empty());
        }
    }
});
