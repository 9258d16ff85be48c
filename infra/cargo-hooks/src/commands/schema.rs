//! `cargo hooks schema`

use std::io::Write as _;

use crate::schema;

/// Print a JSON Schema of infra/atlassian-connect.json
///
/// Editors complete and check the descriptor by it. `cargo hooks new` writes it beside the descriptor,
/// and .vscode/settings.json refers to it, because Atlassian documents no member "$schema" for a
/// descriptor. Print it again after an update of the tool.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks schema > infra/atlassian-connect.schema.json")]
pub struct Args {}

/// Runs it.
///
/// # Errors
///
/// Never fails.
pub fn run(_: &Args) -> anyhow::Result<()> {
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(schema::text().as_bytes());
    Ok(())
}
