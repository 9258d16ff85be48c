//! `cargo hooks events`

use std::fmt::Write as _;
use std::io::Write as _;

use atlassian_connect::event::{Basis, Era, EventSpec, TABLE};
use atlassian_forge::event::{self as forge, Scopes, Source};

use crate::addition::slug;
use crate::scaffold::Sender;

/// List all events, with product, payload type and default URL or scopes
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks events confluence\n  \
        cargo hooks events sprint\n  \
        cargo hooks events --sender forge sprint\n\n\
    Lifecycle callbacks (installed, enabled, disabled, uninstalled) are no webhooks, and not in the\n\
    list. The handler that `lifecycle` in infra/atlassian-hooks.yaml names gets them as a\n\
    LifecycleEvent.")]
pub struct Args {
    /// Only events with this text in their name or product
    #[arg(default_value = "")]
    filter: String,
    /// Whose events
    #[arg(long, value_enum, default_value_t)]
    sender: Sender,
}

/// Runs it.
///
/// # Errors
///
/// Never fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    // A reader that has seen enough, such as `head`, closes the pipe.
    let list = match args.sender {
        // Signed webhooks have the names and bodies of Connect's.
        Sender::Connect | Sender::Signed => list(&args.filter),
        Sender::Forge => list_of_forge(&args.filter),
    };
    let _ = std::io::stdout().write_all(list.as_bytes());
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
    table(["EVENT", "PRODUCT", "DOCUMENTED", "PAYLOAD", "BASIS", "URL"], rows)
}

/// The events of Forge whose name or product contains `filter`, as a table of text.
fn list_of_forge(filter: &str) -> String {
    let lines = forge::TABLE.iter();
    let lines = lines.filter(|spec| spec.name.contains(filter) || spec.product.as_str() == filter);
    let rows = lines.map(|spec| {
        [
            spec.name.into(),
            spec.product.as_str().into(),
            source(spec.source).into(),
            format!("forge::{}", spec.payload),
            match spec.scopes {
                Scopes::None => "none".to_owned(),
                Scopes::AnyOf { classic: [], granular } => granular.join(" "),
                Scopes::AnyOf { classic, .. } => classic.join(" "),
                Scopes::Unknown => "unknown".to_owned(),
            },
        ]
    });
    table(["EVENT", "PRODUCT", "LISTED BY", "PAYLOAD", "SCOPES"], rows)
}

/// Rows in columns.
fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(header.map(str::to_owned)).chain(rows).collect();
    let widths: Vec<usize> = (0..N)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default())
        .collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(text, "{}", line.trim_end()).expect("a String takes any text");
        text
    })
}

/// What lists an event of Forge: Atlassian's documentation, or Forge's own tool.
fn source(source: Source) -> &'static str {
    match source {
        Source::Both => "both",
        Source::Documentation => "documentation",
        Source::Tool => "tool",
    }
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

    #[test]
    fn lists_every_event_of_forge_with_its_scopes() {
        assert_eq!(list_of_forge("").lines().count(), forge::TABLE.len() + 1);
        let created = list_of_forge("avi:jira:created:issue");
        let rows: Vec<Vec<&str>> =
            created.lines().map(|line| line.split_whitespace().collect()).collect();
        let issue = ["avi:jira:created:issue", "jira", "both", "forge::jira::IssueEvent"];
        let row = rows.iter().find(|row| row[0] == issue[0]).unwrap();
        assert_eq!((&row[..4], &row[4..]), (&issue[..], &["read:jira-work"][..]));
        let bitbucket = list_of_forge("bitbucket");
        assert!(bitbucket.lines().skip(1).all(|line| line.contains(" bitbucket ")));
    }
}
