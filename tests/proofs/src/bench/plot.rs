//! The rates as bars: the bare broker's, and Millrace's below them on the same scale.

use std::fmt::Write;

use crate::bench::results::{Results, Spread, figure};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 54.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;
/// Between the broker's bars and Millrace's.
const GAP: f64 = 14.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Brokers,
    Ours,
}

const BARS: [(Whose, &str, &str); 12] = [
    (Whose::Brokers, "bare.publish", "publish, one after the other"),
    (Whose::Brokers, "bare.publish pipelined", "publish, pipelined"),
    (Whose::Brokers, "bare.publish 64", "publish, pipelined, 64 unconfirmed"),
    (Whose::Ours, "api.1.rate", "API, 1 connection"),
    (Whose::Ours, "api.16.rate", "API, 16 connections"),
    (Whose::Ours, "api.64.rate", "API, 64 connections"),
    (Whose::Ours, "api.256.rate", "API, 256 connections"),
    (Whose::Ours, "api.batch.rate", "API, NDJSON"),
    (Whose::Ours, "worker", "one worker"),
    (Whose::Ours, "worker grown", "one worker, large ledger"),
    (Whose::Ours, "worker 4", "four workers"),
    (Whose::Ours, "flow.messages", "whole flow, messages handled"),
];

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600;font-size:15px}\
    .quiet{fill:#59636e}.brokers{fill:#8c959f}.ours{fill:#0969da}.reach{stroke:#1f2328;stroke-width:1.5}\
    .grid{stroke:#d1d9e0}.paper{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.quiet{fill:#9198a1}\
    .brokers{fill:#656c76}.ours{fill:#4493f8}.reach{stroke:#f0f6fc}.grid{stroke:#3d444d}.paper{fill:#0d1117}}";

/// A bar for each that was measured, as an SVG.
pub fn draw(results: &Results) -> String {
    let bars: Vec<_> = BARS
        .iter()
        .filter_map(|(whose, name, label)| Some((*whose, *label, results.spread(name)?)))
        .collect();
    let most = bars.iter().map(|(_, _, spread)| spread.highest).fold(1.0, f64::max);
    let step = step(most);
    let scale = (WIDTH - LEFT - RIGHT) / most;
    let mut drawn = String::new();
    let mut top = TOP;
    let mut before = None;
    for (whose, label, spread) in bars {
        if before.is_some_and(|before| before != whose) {
            top += GAP;
        }
        bar(&mut drawn, (whose, label, spread), top, scale);
        (top, before) = (top + ROW, Some(whose));
    }
    let mut grid = String::new();
    let mut at = 0.0;
    while at <= most {
        let x = LEFT + at * scale;
        let _ = writeln!(grid, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{top}"/>"#);
        let below = top + 18.0;
        let _ = writeln!(
            grid,
            r#"<text class="quiet" x="{x:.1}" y="{below}" text-anchor="middle">{}</text>"#,
            figure(at)
        );
        at += step;
    }
    let height = top + 34.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Rates of the bare broker and of Millrace in the same run\">\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"16\" y=\"24\">A second: the broker by itself (grey), Millrace with every guarantee on (blue)</text>\n\
         <text class=\"quiet\" x=\"16\" y=\"43\">Bars are medians; lines go from the slowest round to the fastest.</text>\n\
         {grid}{drawn}</svg>\n"
    )
}

fn bar(drawn: &mut String, (whose, label, spread): (Whose, &str, Spread), top: f64, scale: f64) {
    let class = match whose {
        Whose::Brokers => "brokers",
        Whose::Ours => "ours",
    };
    let Spread { lowest, median, highest } = spread;
    let [low, end, high] = [lowest, median, highest].map(|value| LEFT + value * scale);
    let (text, middle, after) = (top + 13.0, top + BAR / 2.0, high.max(end) + 8.0);
    let width = end - LEFT;
    let _ = writeln!(drawn, r#"<text x="{}" y="{text}" text-anchor="end">{label}</text>"#, LEFT - 10.0);
    let _ = writeln!(
        drawn,
        r#"<rect class="{class}" x="{LEFT}" y="{top}" width="{width:.1}" height="{BAR}" rx="2"/>"#
    );
    let _ =
        writeln!(drawn, r#"<line class="reach" x1="{low:.1}" x2="{high:.1}" y1="{middle}" y2="{middle}"/>"#);
    let _ = writeln!(drawn, r#"<text x="{after:.1}" y="{text}">{}</text>"#, figure(median));
}

/// The distance of the grid's lines: the smallest round value that gives at most eight.
fn step(most: f64) -> f64 {
    let mut step = 1_000.0;
    while most / step > 8.0 {
        step *= if (most / step) > 40.0 { 10.0 } else { 2.5 };
    }
    step
}
