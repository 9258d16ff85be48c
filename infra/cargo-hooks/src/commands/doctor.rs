//! `cargo hooks doctor`

use std::io::Write as _;

use anyhow::bail;

use crate::account::Account;
use crate::doctor::{self, Group, State};

/// Look for what is missing on this machine, and say what to type
///
/// Prints one row for each thing that the commands need: whether it is there, what was found, and what
/// to type if it is not. Works in any folder. It fails only if something that is needed to run an app
/// locally is missing. What is marked as optional is not there and not needed for that.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks doctor\n  \
        cargo hooks doctor --port 8080 --json\n\n\
        AWS: nothing is called, except to sign in where the profile needs it")]
pub struct Args {
    /// Port that `cargo hooks local` would listen on
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    #[command(flatten)]
    account: Account,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if something that is needed locally is missing.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let rows = doctor::examine(args.port, &args.account).await;
    let mut text = Vec::new();
    if args.json {
        doctor::write_json(&rows, &mut text)?;
    } else {
        doctor::write_table(&rows, &mut text)?;
    }
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = anstream::stdout().write_all(&text);
    let is_missing = |row: &&doctor::Row| row.group == Group::Local && row.state == State::Missing;
    match rows.iter().filter(is_missing).count() {
        0 => Ok(()),
        missing => bail!("{missing} missing to run an app locally; do what the rows above say"),
    }
}
