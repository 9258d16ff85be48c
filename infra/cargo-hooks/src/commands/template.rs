//! `cargo hooks template`

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::app::App;
use template::check::{difference, shown, sound_configuration};
use template::{is_edited, render, version_of};

/// Write template.yaml from infra/atlassian-connect.json and infra/atlassian-hooks.yaml
///
/// A Forge app has infra/manifest.yml in place of the descriptor, or beside it.
/// Optional parts, settings of handlers and resources of your own are in infra/atlassian-hooks.yaml. If
/// template.yaml was changed by hand, the changes are printed and nothing is written.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks template\n  \
        cargo hooks template --print | diff template.yaml -\n  \
        cargo hooks template --force          # over a file that was changed by hand")]
pub struct Args {
    /// Print the template instead of writing it
    #[arg(long)]
    print: bool,
    /// Overwrite a template that was changed by hand
    #[arg(long, conflicts_with = "print")]
    force: bool,
    /// Configuration to read; infra/atlassian-hooks.yaml without it
    #[arg(long, value_name = "FILE")]
    configuration: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, its descriptor or its configuration is wrong, the template was changed by
/// hand, or the file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let app = App::find()?;
    let declared = app.declarations_with_warnings()?;
    let configuration = match &args.configuration {
        None => app.configuration(&declared)?,
        Some(path) => sound_configuration(path, &declared).map_err(|findings| {
            findings.iter().for_each(|finding| eprintln!("{finding}"));
            anyhow::anyhow!("correct the configuration first")
        })?,
    };
    let text = render(&declared, &configuration)?;
    if args.print {
        return Ok(std::io::stdout().write_all(text.as_bytes())?);
    }
    let path = app.template_path();
    if !args.force
        && let Ok(written) = std::fs::read_to_string(&path)
        // A template of another version is not what this version would compare it with.
        && version_of(&written).is_some()
        && is_edited(&written)
        && written != text
    {
        println!("{}", difference(&written, &text));
        bail!(
            "{} was changed by hand, and the changes above would be lost or made; move them to \
             {}, or write it anyway with --force",
            shown(&path),
            shown(&app.configuration_path()),
        );
    }
    std::fs::write(&path, text)
        .with_context(|| format!("{} cannot be written; check its permissions", path.display()))?;
    println!("wrote {}", shown(&path));
    Ok(())
}
