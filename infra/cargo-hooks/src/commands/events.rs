//! `cargo hooks events`

use std::fmt::Write as _;
use std::io::Write as _;

use atlassian_connect::event::{Basis, Era, EventSpec, TABLE};

use crate::addition::slug;

/// List all events, with product, payload type and default URL
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks events confluence\n  \
        cargo hooks events sprint\n\n\
    Lifecycle callbacks (installed, enabled, disabled, uninstalled) are no webhooks, and not in the\n\
    list. The handler that `lifecycle` in infra/atlassian-hooks.yaml names gets them as a\n\
    LifecycleEvent.")]
pub struct Args {
    /// Only events with this text in their name or product
    #[arg(default_value = "")]
    filter: String,
}

/// Runs it.
///
/// # Errors
///
/// Never fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(list(&args.filter).as_bytes());
    Ok(())
}

/// The events of the tables whose name or product contains `filter`, as a table of text.
fn list(filter: &str) -> String {
    let lines: Vec<&EventSpec> = TABLE
        .iter()
        .filter(|line| line.event.as_str().contains(filter) || line.product.as_str() == filter)
        .collect();
    let rows = lines.iter().map(|line| {
        [
            line.event.to_string(),
            line.product.to_string(),
            era(line.era).into(),
            format!("{}::{}", line.product, line.payload),
            basis(line.basis).into(),
            format!("/{}", slug(line.event.as_str())),
        ]
    });
    let header = ["EVENT", "PRODUCT", "DOCUMENTED", "PAYLOAD", "BASIS", "URL"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    let widths: Vec<usize> = (0..6)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("a String takes any text");
        text
    })
}

fn era(era: Era) -> &'static str {
    match era {
        Era::Legacy => "2014",
        Era::Today => "today",
        Era::Both => "2014, today",
    }
}

fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Observed => "observed",
        Basis::Documented => "documented",
        Basis::Inferred => "inferred",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_event_once_for_each_product() {
        assert_eq!(list("").lines().count(), TABLE.len() + 1);
        let created = list("jira:issue_created");
        let row: Vec<&str> = created.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[0..2], ["jira:issue_created", "jira"]);
        assert_eq!(row.last(), Some(&"/issue-created"));
        assert!(list("confluence").lines().skip(1).all(|line| line.contains(" confluence ")));
    }
}
