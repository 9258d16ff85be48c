//! `cargo hooks check`

use anyhow::bail;

use crate::app::App;
use template::check::{Files, Severity, check};

/// Check that descriptor, handlers, template and versions agree
///
/// Reads infra/atlassian-connect.json, the handlers, template.yaml, the Cargo manifests and
/// Cargo.lock. Prints what is wrong and what to do about it. Changes nothing.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  cargo hooks check    # locally and in CI; fails if there is an error"
)]
pub struct Args {}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, or something in it would not work.
pub fn run(_: &Args) -> anyhow::Result<()> {
    let app = App::find()?;
    let findings = check(&Files {
        descriptor: &app.descriptor_path(),
        template: &app.template_path(),
        handlers: &app.handlers_path(),
        metadata: app.metadata(),
        lock: &app.root().join("Cargo.lock"),
    });
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.iter().filter(|finding| finding.severity == Severity::Error).count() {
        0 => {}
        1 => bail!("correct the error above"),
        errors => bail!("correct the {errors} errors above"),
    }
    println!("descriptor, events, handlers and template agree");
    Ok(())
}
