//! The results: one value per round for each name, their median and spread, and ratios within the rounds.

use std::collections::BTreeMap;
use std::fmt;

/// Values by name, in the order of the rounds.
#[derive(Debug, Clone, Default)]
pub struct Results(BTreeMap<String, Vec<f64>>);

/// The median of a result, with its lowest and highest value.
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

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lowest, median, highest } = *self;
        write!(f, "{}", figure(median))?;
        if lowest < highest { write!(f, " ({}–{})", figure(lowest), figure(highest)) } else { Ok(()) }
    }
}

/// A value with its significant digits, and commas between thousands.
pub fn figure(value: f64) -> String {
    let places = match value.abs() {
        0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let mut text = format!("{value:.places$}");
    let system = text.find('.').unwrap_or(text.len());
    for position in (1..system).rev().filter(|position| (system - position) % 3 == 0) {
        text.insert(position, ',');
    }
    text
}

impl Results {
    pub fn note(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        println!("  {name:<44} {value:>12.2}");
        self.0.entry(name).or_default().push(value);
    }

    pub fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(self.0.get(name)?)
    }

    /// Each round's value beside the other one of the same round: what a machine does that is busy now and idle a minute
    /// later, it does to both.
    pub fn ratio(&self, name: &str, to: &str) -> Option<Spread> {
        let (values, others) = (self.0.get(name)?, self.0.get(to)?);
        let ratios: Vec<_> = values.iter().zip(others).map(|(value, other)| value / other).collect();
        Spread::of(&ratios)
    }

    /// Of all results whose name has this prefix, the one with the highest median.
    pub fn most(&self, prefix: &str) -> Option<Spread> {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        let spreads = named.filter_map(|(_, values)| Spread::of(values));
        spreads.max_by(|one, other| one.median.total_cmp(&other.median))
    }

    /// The number of rounds.
    pub fn rounds(&self) -> usize {
        self.0.values().map(Vec::len).max().unwrap_or_default()
    }

    /// Prints all results.
    pub fn print(&self) {
        println!("\nbench: {:<42} {:>12} {:>12} {:>12}", "of all rounds", "median", "lowest", "highest");
        for (name, values) in &self.0 {
            if let Some(Spread { lowest, median, highest }) = Spread::of(values) {
                println!("  {name:<47} {median:>12.2} {lowest:>12.2} {highest:>12.2}");
            }
        }
    }
}
