//! `cargo hooks check`

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::app::App;
use template::check::{Files, Finding, Report, check, invariants, shown};

/// Check that the app's files agree, and that its template is safe and whole
///
/// There are two parts. The first: descriptor or manifest, configuration, handlers, manifests, versions and
/// template.yaml agree; if template.yaml is not what they ask for, the
/// difference is printed. The second: the template, as it is, is safe and whole. What the
/// configuration allows handlers is listed. Changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks check                     # locally and in CI; fails if there is an error\n  \
        cargo hooks check --template a.yaml   # the second part alone, of a template edited by hand")]
pub struct Args {
    /// Judge this template alone, and not whether it is what the app's files ask for
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, or something in it would not work.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let app = App::find()?;
    if let Some(path) = &args.template {
        let declared = app.declarations()?;
        let configuration = app.configuration(&declared)?;
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read; check the path", path.display()))?;
        let safety = invariants(&declared, &configuration, &shown(path), &text);
        let report = Report { safety, ..Report::default() };
        report.safety.iter().for_each(|finding| eprintln!("{finding}"));
        fail_for(&report)?;
        println!("the template is safe and whole");
        return Ok(());
    }
    let report = check(&Files {
        descriptor: &app.descriptor_path(),
        manifest: &app.manifest_path(),
        configuration: &app.configuration_path(),
        template: &app.template_path(),
        handlers: &app.handlers_path(),
        metadata: app.metadata(),
        lock: &app.root().join("Cargo.lock"),
        samconfig: &app.root().join("samconfig.toml"),
        built: &app.root().join(".aws-sam/build"),
    });
    print("what the app's files ask for", &report.agreement);
    print("whether the template is safe and whole", &report.safety);
    fail_for(&report)?;
    let declared = match (app.descriptor_path().exists(), app.manifest_path().exists()) {
        (true, true) => "descriptor, manifest, ",
        (false, true) => "manifest, ",
        (true, false) => "descriptor, ",
        (false, false) => "",
    };
    println!("{declared}configuration, events, handlers and template agree");
    Ok(())
}

fn print(part: &str, findings: &[Finding]) {
    if !findings.is_empty() {
        eprintln!("{part}:");
        findings.iter().for_each(|finding| eprintln!("  {finding}"));
    }
}

fn fail_for(report: &Report) -> anyhow::Result<()> {
    match report.errors() {
        0 => Ok(()),
        1 => bail!("correct the error above"),
        errors => bail!("correct the {errors} errors above"),
    }
}
