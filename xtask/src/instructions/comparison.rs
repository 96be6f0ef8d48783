//! Compares the record with new counts: what costs more, what costs less, and what is in only one of both.

use std::fmt::{self, Display};

use super::record::Counts;

/// The same program counts the same within 0.02 %: only the seeds of hash maps are drawn anew. After changes to code that no
/// case runs, which the optimizer then lays out otherwise, 0.1 % was seen. What is above that is luck with the heap, where a
/// text either grows in its place or is copied: 2.3 % was seen for a whole batch.
const TOLERANCE_PERCENT: f64 = 3.0;

/// How a case compares with its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    AsRecorded,
    CostsMore,
    CostsLess,
    /// The program has it, the record does not.
    NotRecorded,
    /// The record has it, the program does not.
    NotCounted,
}

const ADVICE: [(Verdict, &str); 4] = [
    (
        Verdict::CostsMore,
        "more instructions than the record allows. callgrind_annotate shows where, on the profile in \
         target/instructions; if they are worth it, record them: cargo xtask instructions --renew",
    ),
    (
        Verdict::CostsLess,
        "fewer instructions than recorded. So that it stays so, record them: cargo xtask instructions --renew",
    ),
    (Verdict::NotRecorded, "not in the record yet. Record it: cargo xtask instructions --renew"),
    (
        Verdict::NotCounted,
        "in the record, but no case of the program. If that is on purpose, take it out of the record, too: \
         cargo xtask instructions --renew",
    ),
];

/// One case.
#[derive(Debug)]
pub struct Row<'a> {
    pub case: &'a str,
    recorded: Option<u64>,
    now: Option<u64>,
}

/// Every case of the record and of the program, by name.
#[derive(Debug)]
pub struct Comparison<'a>(pub Vec<Row<'a>>);

impl Row<'_> {
    fn change_percent(&self) -> Option<f64> {
        let (recorded, now) = (self.recorded? as f64, self.now? as f64);
        Some((now - recorded) / recorded * 100.0)
    }

    pub fn verdict(&self) -> Verdict {
        match self.change_percent() {
            Some(change) if change > TOLERANCE_PERCENT => Verdict::CostsMore,
            Some(change) if change < -TOLERANCE_PERCENT => Verdict::CostsLess,
            Some(_) => Verdict::AsRecorded,
            None if self.now.is_some() => Verdict::NotRecorded,
            None => Verdict::NotCounted,
        }
    }
}

impl<'a> Comparison<'a> {
    pub fn of(recorded: &'a Counts, now: &'a Counts) -> Self {
        let gone = recorded.keys().filter(|case| !now.contains_key(*case));
        let mut cases: Vec<&String> = now.keys().chain(gone).collect();
        cases.sort();
        let row = |case: &'a String| Row {
            case,
            recorded: recorded.get(case).copied(),
            now: now.get(case).copied(),
        };
        Self(cases.into_iter().map(row).collect())
    }

    /// Whether nothing costs more than it may, and both know the same cases.
    pub fn holds(&self) -> bool {
        self.0.iter().all(|row| matches!(row.verdict(), Verdict::AsRecorded | Verdict::CostsLess))
    }

    pub fn differs(&self) -> bool {
        self.0.iter().any(|row| matches!(row.verdict(), Verdict::CostsMore | Verdict::CostsLess))
    }

    /// What happened and what to do about it, a sentence for each kind of verdict that there is.
    pub fn advice(&self) -> String {
        let sentences: Vec<_> = ADVICE
            .iter()
            .filter_map(|(verdict, advice)| {
                let cases = self.0.iter().filter(|row| row.verdict() == *verdict).map(|row| row.case);
                let cases = cases.collect::<Vec<_>>().join(", ");
                (!cases.is_empty()).then(|| format!("{cases}: {advice}"))
            })
            .collect();
        if sentences.is_empty() {
            return format!("Every case costs what is recorded, within {TOLERANCE_PERCENT} %.");
        }
        sentences.join("\n\n")
    }
}

/// A table.
impl Display for Comparison<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |count: Option<u64>| count.map_or("—".to_owned(), |count| count.to_string());
        writeln!(out, "{:<28}{:>10}{:>10}{:>10}", "instructions per message", "recorded", "now", "change")?;
        for row in &self.0 {
            let change = row.change_percent().map_or("—".to_owned(), |change| format!("{change:+.2} %"));
            let mark = match row.verdict() {
                Verdict::AsRecorded => "",
                Verdict::CostsMore => "  costs more",
                Verdict::CostsLess => "  costs less",
                Verdict::NotRecorded => "  not recorded",
                Verdict::NotCounted => "  not counted",
            };
            writeln!(
                out,
                "{:<28}{:>10}{:>10}{change:>10}{mark}",
                row.case,
                number(row.recorded),
                number(row.now)
            )?;
        }
        Ok(())
    }
}
