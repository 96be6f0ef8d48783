//! What was measured: a value a round for each name, their median and spread, and ratios within the rounds.

use std::collections::BTreeMap;

/// What is set beside what the bare broker does with the same messages.
const RATIOS: [(&str, &str); 6] = [
    ("door.64.rate", "bare.publish as sent"),
    ("door.64.rate", "bare.publish as sent 64"),
    ("door.batch", "bare.publish as sent"),
    ("worker", "bare.publish as sent"),
    ("flow.messages", "bare.publish as sent"),
    ("bare.publish as sent", "bare.publish"),
];

/// Values by name, in the order of the rounds.
#[derive(Debug, Clone, Default)]
pub struct Results(BTreeMap<String, Vec<f64>>);

/// The middle of what was measured, and how far it went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub lowest: f64,
    pub median: f64,
    pub highest: f64,
}

impl Spread {
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Self { lowest, median, highest })
    }
}

impl Results {
    pub fn note(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        println!("  {name:<44} {value:>12.2}");
        self.0.entry(name).or_default().push(value);
    }

    /// Each round's value beside the other one of the same round: what a machine does that is busy now and idle a minute
    /// later, it does to both.
    fn ratio(&self, name: &str, to: &str) -> Option<Spread> {
        let (values, others) = (self.0.get(name)?, self.0.get(to)?);
        let ratios: Vec<_> = values.iter().zip(others).map(|(value, other)| value / other).collect();
        Spread::of(&ratios)
    }

    /// Prints all of it: the median of each, how far it went, and how it stands to the bare broker in the same rounds.
    pub fn table(&self) {
        println!(
            "\nbench: {:<42} {:>12} {:>12} {:>12}",
            "median of all rounds", "median", "lowest", "highest"
        );
        for (name, values) in &self.0 {
            if let Some(Spread { lowest, median, highest }) = Spread::of(values) {
                println!("  {name:<47} {median:>12.2} {lowest:>12.2} {highest:>12.2}");
            }
        }
        for (name, to) in RATIOS {
            if let Some(Spread { lowest, median, highest }) = self.ratio(name, to) {
                println!("  {:<47} {median:>12.2} {lowest:>12.2} {highest:>12.2}", format!("{name} : {to}"));
            }
        }
    }
}
