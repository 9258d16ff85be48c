//! The figures: as JSON, as tables, and compared with those that are committed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Everything that was measured in one run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Figures {
    /// The day.
    pub(crate) date: String,
    /// The processor, the system and the versions of what took part.
    pub(crate) machine: String,
    /// The functions beside their floor and their peers.
    pub(crate) functions: Vec<Figure>,
    /// What grows, and what should not.
    pub(crate) growth: Vec<Growth>,
}

/// One measure of this project's function, of its floor, and of other implementations.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) what: String,
    /// The unit of all values.
    pub(crate) unit: Unit,
    /// This project.
    pub(crate) value: f64,
    /// A program that does nothing but what cannot be avoided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) floor: Option<Beside>,
    /// Node, without a framework.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<Beside>,
    /// Node with a framework: atlassian-connect-express, or Powertools for AWS Lambda.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) framework: Option<Beside>,
}

/// The same measure of another implementation.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Beside {
    /// Its value.
    pub(crate) value: f64,
    /// This project's value, divided by that one.
    pub(crate) ratio: f64,
}

/// A measure at few and at many of something.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Growth {
    /// What was measured.
    pub(crate) what: String,
    /// The unit of both values.
    pub(crate) unit: Unit,
    /// What there were few and many of.
    pub(crate) of: String,
    /// How many, and the value.
    pub(crate) few: (u32, f64),
    /// How many, and the value.
    pub(crate) many: (u32, f64),
}

/// The unit of a value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Machine instructions, in user mode.
    Instructions,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Figure {
    /// A measure of this project alone.
    pub(crate) fn new(what: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { what: what.into(), unit, value, floor: None, node: None, framework: None }
    }

    /// Adds the value of the floor.
    #[must_use]
    pub(crate) fn floor(self, value: Option<f64>) -> Self {
        Self { floor: self.beside(value), ..self }
    }

    /// Adds the value of Node without a framework.
    #[must_use]
    pub(crate) fn node(self, value: Option<f64>) -> Self {
        Self { node: self.beside(value), ..self }
    }

    /// Adds the value of Node with a framework.
    #[must_use]
    pub(crate) fn framework(self, value: Option<f64>) -> Self {
        Self { framework: self.beside(value), ..self }
    }

    fn beside(&self, value: Option<f64>) -> Option<Beside> {
        let ratio = |value: f64| (self.value / value * 1000.0).round() / 1000.0;
        value.map(|value| Beside { value, ratio: ratio(value) })
    }

    /// The number that does not depend on the machine, and by how much it may grow: instructions in terms of
    /// the floor, or the length of an archive.
    fn checked(&self) -> Option<(f64, f64)> {
        match (self.unit, self.floor) {
            (Unit::Instructions, Some(floor)) => Some((floor.ratio, INSTRUCTIONS_MARGIN)),
            (Unit::Bytes, _) if self.what.contains(ARCHIVE) => Some((self.value, ARCHIVE_MARGIN)),
            _ => None,
        }
    }

    fn checked_text(&self) -> String {
        match (self.unit, self.floor) {
            (Unit::Instructions, Some(floor)) => format!("{} × the floor", floor.ratio),
            _ => written(self.unit, self.value),
        }
    }
}

/// What the names of the figures about archives have in common.
pub(crate) const ARCHIVE: &str = "archive";

/// What a function does while it waits is counted as well, and how long it waits depends on what else the
/// machine does: between runs, some of them on a busy machine, a webhook of 2 KB differed by a tenth.
const INSTRUCTIONS_MARGIN: f64 = 0.1;
/// Paths of the machine are in the programs.
const ARCHIVE_MARGIN: f64 = 0.01;

/// A checked figure that is not what was committed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Moved {
    /// What moved, from where to where.
    pub(crate) sentence: String,
    /// Whether it became worse.
    pub(crate) is_worse: bool,
}

/// Compares what does not depend on the machine with the committed figures.
pub(crate) fn moved(committed: &Figures, measured: &Figures) -> Vec<Moved> {
    let compare = |figure: &Figure| {
        let (value, margin) = figure.checked()?;
        let what = &figure.what;
        let before = committed.functions.iter().find(|before| before.what == *what);
        let Some((before, (was, _))) = before.and_then(|b| Some((b, b.checked()?))) else {
            let sentence = format!("{what}: {}; no figure is committed", figure.checked_text());
            return Some(Moved { sentence, is_worse: true });
        };
        let change = value / was - 1.0;
        let sentence = format!(
            "{what}: {} instead of {} ({:+.1} %, of which {} % are tolerated)",
            figure.checked_text(),
            before.checked_text(),
            change * 100.0,
            margin * 100.0
        );
        (change.abs() > margin).then_some(Moved { sentence, is_worse: change > 0.0 })
    };
    measured.functions.iter().filter_map(compare).collect()
}

impl Figures {
    /// These figures, and those of an earlier run that this one has not measured.
    pub(crate) fn with_others_of(mut self, before: Self) -> Self {
        let is_other = |figure: &Figure| self.functions.iter().all(|own| own.what != figure.what);
        let others: Vec<Figure> = before.functions.into_iter().filter(is_other).collect();
        self.functions.extend(others);
        Self { growth: before.growth, ..self }
    }

    /// The figures as tables in Markdown.
    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        if !self.functions.is_empty() {
            text += "| | this project | floor | Node by hand | Node with a framework |\n|---|---|---|---|---|\n";
            for figure in &self.functions {
                let Figure { what, unit, value, floor, node, framework } = figure;
                let beside = |beside: &Option<Beside>| match beside {
                    Some(Beside { value, ratio }) => {
                        format!("{} ({})", written(*unit, *value), times(*ratio))
                    }
                    None => String::new(),
                };
                let mut value = written(*unit, *value);
                if *unit == Unit::Instructions {
                    value += " instructions";
                }
                let (floor, node, framework) = (beside(floor), beside(node), beside(framework));
                let _ = writeln!(text, "| {what} | {value} | {floor} | {node} | {framework} |");
            }
        }
        if !self.growth.is_empty() {
            text += "\n| | few | many | |\n|---|---|---|---|\n";
            for Growth { what, unit, of, few, many } in &self.growth {
                let written = |(count, value): (u32, f64)| {
                    format!("{} at {}", written(*unit, value), grouped(count))
                };
                let ratio = times(many.1 / few.1);
                let (few, many) = (written(*few), written(*many));
                let _ = writeln!(text, "| {what}, by {of} | {few} | {many} | {ratio} |");
            }
        }
        text
    }

    /// The rows for those who want to know whether it is good enough.
    pub(crate) fn summary(&self) -> String {
        let is_in_short = |figure: &&Figure| SUMMARY.contains(&figure.what.as_str());
        let functions = self.functions.iter().filter(is_in_short).cloned().collect();
        Self { functions, growth: Vec::new(), ..self.clone() }.tables()
    }

    /// When and where it was measured, as a sentence.
    pub(crate) fn provenance(&self) -> String {
        format!("Measured on {} by `{COMMAND} --update`: {}.", self.date, self.machine)
    }
}

/// What the summary has.
const SUMMARY: [&str; 9] = [
    "a webhook of 2 KB",
    "a webhook of 2 KB, CPU",
    "a webhook of 1 MB, CPU",
    "a receiver's cold start and first webhook, CPU",
    "a receiver of 2 KB, memory",
    "receiver, archive",
    "verification of a token; atlassian-jwt",
    "an event for `run`, in batches of 10, CPU",
    "`run` handler, archive",
];

/// How the benchmark is run.
pub(crate) const COMMAND: &str = "cargo run -p bench --";

/// A ratio, as a multiple or as a fraction.
fn times(ratio: f64) -> String {
    if ratio < 0.67 { format!("1/{:.1}", 1.0 / ratio) } else { format!("{ratio:.2} ×") }
}

/// A value in the multiple of its unit that reads best.
fn written(unit: Unit, value: f64) -> String {
    let (steps, names): (f64, [&str; 4]) = match unit {
        Unit::Instructions => (1e3, ["", " k", " M", " G"]),
        Unit::Bytes => (1e3, [" B", " KB", " MB", " GB"]),
        Unit::Seconds => (1e3, [" ns", " µs", " ms", " s"]),
    };
    let mut value = if unit == Unit::Seconds { value * 1e9 } else { value };
    let mut name = 0;
    while value >= steps * 0.9995 && name + 1 < names.len() {
        value /= steps;
        name += 1;
    }
    let decimals = match value {
        value if value >= 100.0 || name == 0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{}", names[name])
}

/// A number with a comma before each three digits.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text with what is between its marks replaced.
///
/// # Errors
///
/// Fails if the text does not have both marks.
pub(crate) fn replaced(text: &str, new: &str) -> anyhow::Result<String> {
    let found = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", new.trim()))
    });
    found.ok_or_else(|| anyhow::anyhow!("the text has no {BEGIN} and {END}; put them back"))
}

const BEGIN: &str = "<!-- begin of the benchmark's figures -->";
const END: &str = "<!-- end of the benchmark's figures -->";

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(instructions: f64, bytes: f64) -> Figures {
        let warm = Figure::new("receiver, 2 KB", Unit::Instructions, instructions);
        let archive = Figure::new("receiver, archive", Unit::Bytes, bytes);
        let time = Figure::new("receiver, CPU", Unit::Seconds, instructions);
        Figures {
            functions: vec![warm.floor(Some(1000.0)), archive, time.floor(Some(1.0))],
            ..Figures::default()
        }
    }

    #[test]
    fn finds_what_moved_beyond_its_margin_and_says_whether_it_is_worse() {
        let committed = figures(1440.0, 5_000_000.0);
        assert_eq!(moved(&committed, &committed), []);
        // Within the margins, whatever happens to times.
        assert_eq!(moved(&committed, &figures(1560.0, 5_040_000.0)), []);
        let worse = moved(&committed, &figures(1600.0, 5_100_000.0));
        let sentences: Vec<&str> = worse.iter().map(|moved| moved.sentence.as_str()).collect();
        assert_eq!(
            sentences,
            [
                "receiver, 2 KB: 1.6 × the floor instead of 1.44 × the floor (+11.1 %, of which 10 % are tolerated)",
                "receiver, archive: 5.10 MB instead of 5.00 MB (+2.0 %, of which 1 % are tolerated)",
            ]
        );
        assert!(worse.iter().all(|moved| moved.is_worse));
        let better = moved(&committed, &figures(1000.0, 5_000_000.0));
        assert_eq!(better.iter().map(|moved| moved.is_worse).collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn a_figure_that_was_never_committed_is_not_accepted() {
        let new = moved(&Figures::default(), &figures(1.0, 1.0));
        assert_eq!(new.iter().map(|moved| moved.is_worse).collect::<Vec<_>>(), [true, true]);
    }

    #[test]
    fn writes_values_as_people_read_them() {
        assert_eq!(written(Unit::Instructions, 1_212_746.0), "1.21 M");
        assert_eq!(written(Unit::Seconds, 0.000_238), "238 µs");
        assert_eq!(written(Unit::Seconds, 3.41e-6), "3.41 µs");
        assert_eq!(written(Unit::Bytes, 11_700_000.0), "11.7 MB");
        assert_eq!(written(Unit::Bytes, 999_999.0), "1.00 MB");
        assert_eq!(times(1.441), "1.44 ×");
        assert_eq!(times(0.1615), "1/6.2");
        assert_eq!(grouped(100_000), "100,000");
    }

    #[test]
    fn replaces_what_is_between_the_marks_alone() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let new = replaced(&text, "new").unwrap();
        assert_eq!(new, format!("a\n{BEGIN}\n\nnew\n\n{END}\nb\n"));
        assert_eq!(replaced(&new, "new").unwrap(), new);
        assert!(replaced("a", "new").is_err());
    }
}
