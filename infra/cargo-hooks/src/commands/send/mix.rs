//! Mixes of events by weight.

use std::path::Path;

use anyhow::{Context as _, ensure};
use atlassian_connect::event::EventName;

use crate::terminal::escaped;

/// Events with weights: of each event as many are sent as its part of the sum of weights.
#[derive(Debug)]
pub(super) struct Mix {
    lines: Vec<Line>,
    taken: u64,
}

#[derive(Debug)]
struct Line {
    event: EventName,
    weight: u32,
    taken: u64,
}

impl Mix {
    /// One event.
    pub(super) fn only(event: &str) -> Self {
        Self { lines: vec![Line { event: event.into(), weight: 1, taken: 0 }], taken: 0 }
    }

    /// The mix in a file, with a weight and an event on each line.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or a line says something else.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("the mix {} cannot be read; give a text file", path.display())
        })?;
        Self::parse(&text).with_context(|| format!("the mix {}", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let parsed = line.split_once(char::is_whitespace).and_then(|(weight, event)| {
                let weight = weight.parse().ok().filter(|weight| *weight > 0)?;
                Some(Line { event: event.trim().into(), weight, taken: 0 })
            });
            lines.push(parsed.with_context(|| {
                format!(
                    "line {} is {:?}; write a whole weight and an event, as in `80 page_updated`",
                    number + 1,
                    escaped(line),
                )
            })?);
        }
        ensure!(!lines.is_empty(), "has no events; write lines as in `80 page_updated`");
        Ok(Self { lines, taken: 0 })
    }

    /// The events, in the order of their indices.
    pub(super) fn events(&self) -> impl Iterator<Item = &EventName> {
        self.lines.iter().map(|line| &line.event)
    }

    /// The index of the next event: the one that is furthest behind its part.
    pub(super) fn next(&mut self) -> usize {
        self.taken += 1;
        let sum: i128 = self.lines.iter().map(|line| i128::from(line.weight)).sum();
        let behind = |line: &Line| {
            i128::from(line.weight) * i128::from(self.taken) - sum * i128::from(line.taken)
        };
        // The first of those that are equally far behind.
        let next = (0..self.lines.len()).rev().max_by_key(|index| behind(&self.lines[*index]));
        let next = next.unwrap_or_default();
        self.lines[next].taken += 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_each_event_by_its_weight() {
        let mut mix = Mix::parse("# all\n6 a\n\n3  b # few\n1 c\n").unwrap();
        assert_eq!(mix.events().map(EventName::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        let mut counts = [0; 3];
        let taken: Vec<usize> = std::iter::repeat_with(|| mix.next()).take(100).collect();
        taken.iter().for_each(|index| counts[*index] += 1);
        assert_eq!(counts, [60, 30, 10]);
        // Mixed, and not one after the other.
        assert!(taken[..10].contains(&2) && taken[..4].contains(&1), "{taken:?}");
    }

    #[test]
    fn says_which_line_is_wrong() {
        for (text, words) in [
            ("5 a\nb", "line 2 is \"b\""),
            ("0 a", "line 1"),
            ("-1 a", "line 1"),
            ("# nothing\n", "has no events"),
        ] {
            let error = format!("{:#}", Mix::parse(text).unwrap_err());
            assert!(error.contains(words) && error.contains("80 page_updated"), "{error}");
        }
    }
}
