//! `cargo hooks forge`

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use template::forge::NO_APP;

use crate::manifest::{Wanted, manifest};

/// Work on a Forge app, whose events are sent to this app as a remote
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Manifest(Manifest),
}

/// Print a manifest for a list of events: the remote, endpoints, triggers and scopes
///
/// `forge lint` and `cargo hooks check` say whether it is right, and `forge register` writes the id of
/// the app into it. An endpoint for uninstalls is always there, because Forge has no event of them.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks forge manifest --url https://hooks.example.com avi:jira:created:issue\n  \
        cargo hooks forge manifest --url https://hooks.example.com --each --output infra/manifest.yml \\\n    \
        avi:jira:created:issue avi:jira:updated:issue\n\n\
    `cargo hooks events --sender forge` lists all events.")]
struct Manifest {
    /// Names of the events, such as avi:jira:created:issue
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<String>,
    /// URL that the app is deployed at: the output BaseUrl of its stack
    #[arg(long, value_name = "URL")]
    url: String,
    /// Id of the app [default: one that `forge register` replaces]
    #[arg(long, value_name = "ari:cloud:ecosystem::app/…", default_value = NO_APP, hide_default_value = true)]
    app: String,
    /// Give each event an endpoint of its own, and so a handler
    #[arg(long)]
    each: bool,
    /// File to write instead of printing, such as infra/manifest.yml; must not exist
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
///
/// Fails if an event is one that Forge does not send, or the file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Command::Manifest(args) = &args.command;
    let Manifest { events, url, app, each, output } = args;
    let (text, findings) = manifest(Wanted { app, url, events, each: *each })?;
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    let Some(path) = output else {
        // A reader that has seen enough, such as `head`, closes the pipe.
        let _ = std::io::stdout().write_all(text.as_bytes());
        return Ok(());
    };
    if path.exists() {
        bail!("{} exists; print the manifest without --output, and merge it", path.display());
    }
    fs::write(path, text)
        .with_context(|| format!("{} cannot be written; check its folder", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}
