//! `cargo hooks template`

use std::io::Write as _;

use anyhow::{Context as _, bail};

use super::inspect::HANDLER;
use crate::app::App;
use template::check::shown;
use template::plan::Plan;
use template::{TemplateOptions, render_with};

/// Write template.yaml from infra/atlassian-connect.json
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks template\n  \
        cargo hooks template --canary --bodies\n  \
        cargo hooks template --print | diff template.yaml -")]
pub struct Args {
    /// Print the template instead of writing it
    #[arg(long)]
    print: bool,
    /// Deploy by canary: shift traffic to a new version gradually, and roll back on an alarm
    ///
    /// Adds three resources for each function. A stack can have 500.
    #[arg(long)]
    canary: bool,
    /// Add an S3 bucket for events that exceed the queue's limit of 1 MiB after compression
    #[arg(long)]
    bodies: bool,
    /// Add the parameter ShowBodies, for an app created with `cargo hooks new --inspector`
    #[arg(long)]
    inspector: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, its descriptor is wrong, or the file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let app = App::find()?;
    let descriptor = app.descriptor_with_warnings()?;
    let plan = Plan::of(&descriptor);
    if args.inspector && !plan.handlers.iter().any(|handler| handler.name == HANDLER) {
        bail!(
            "the descriptor has no handler {HANDLER}; create an app that has with \
             `cargo hooks new webhook-inspector --inspector`"
        );
    }
    let extras =
        TemplateOptions { canary: args.canary, bodies: args.bodies, inspector: args.inspector };
    let text = render_with(&descriptor, extras)?;
    if args.print {
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    let path = app.template_path();
    std::fs::write(&path, text)
        .with_context(|| format!("{} cannot be written; check its permissions", path.display()))?;
    println!("wrote {}", shown(&path));
    Ok(())
}
