//! `cargo hooks add`

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::Descriptor;
use serde_json::Value;

use crate::addition::{Wanted, add, formatted};
use crate::app::App;
use template::check::shown;
use template::plan::Declarations;
use template::{is_edited, render, version_of};

/// Add webhooks: descriptor entry, handler with its test, and template.yaml
///
/// An existing handler is kept, and can be shared by several events. An event that is already
/// declared is left alone. `cargo hooks events` lists all events.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks add jira:issue_updated\n  \
        cargo hooks add page_created page_updated --handler pages\n  \
        cargo hooks add jira:issue_created jira:issue_deleted --url '/issue/${issue.key}'")]
pub struct Args {
    /// Names of the events, such as jira:issue_updated
    #[arg(required = true, value_name = "EVENT")]
    events: Vec<String>,
    /// URL for these events, relative to the base URL [default: one each, such as /issue-updated]
    ///
    /// Events of Confluence cannot share a URL, because their bodies do not name the event.
    #[arg(long, value_name = "/PATH")]
    url: Option<String>,
    /// Name of the handler for these events [default: one for each URL]
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no app, an event is unknown, or the descriptor would be wrong.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let app = App::find()?;
    let text = app.descriptor_text()?;
    let handlers = app.handlers_path();
    let has_handler = |name: &str| {
        handlers.join(format!("{name}.rs")).is_file()
            || handlers.join(name).join("main.rs").is_file()
    };
    let wanted =
        Wanted { events: &args.events, url: args.url.as_deref(), handler: args.handler.as_deref() };
    let addition = add(&text, wanted, has_handler)?;
    addition.notes.iter().for_each(|note| println!("{note}"));
    if addition.webhooks.is_empty() {
        return Ok(());
    }
    if addition.files.iter().any(|(path, _)| is_rust(path)) {
        let manifest = app.root().join("functions/handlers/Cargo.toml");
        let missing = missing(app.metadata(), &manifest);
        if !missing.is_empty() {
            bail!(
                "nothing was written, because a new handler and its test need more than {} has; \
                 add {}",
                shown(&manifest),
                missing.join(", and "),
            );
        }
    }
    let descriptor = Descriptor::parse(&addition.descriptor)?;
    let manifest = app.manifest()?;
    let declared = Declarations { descriptor: Some(&descriptor), manifest: manifest.as_ref() };
    let template = render(declared, &app.configuration(declared)?)?;
    let written = fs::read_to_string(app.template_path()).unwrap_or_default();
    if is_edited(&written) && version_of(&written).is_some() {
        bail!(
            "nothing was written, because {} was changed by hand; `cargo hooks template` says how",
            shown(&app.template_path()),
        );
    }
    for (path, text) in &addition.files {
        let path = app.root().join(path);
        // An existing body or handler may have been edited.
        if path.exists() {
            continue;
        }
        if is_rust(&path) {
            write(&path, &formatted(text, app.root()))?;
        } else {
            write(&path, text)?;
        }
    }
    write(&app.descriptor_path(), &addition.descriptor)?;
    write(&app.template_path(), &template)?;

    println!();
    for webhook in &addition.webhooks {
        println!(
            "{} is sent to {}, and handled by {}",
            webhook.event,
            webhook.url,
            webhook.handler()
        );
    }
    println!(
        "next: write the handlers in {}, then `cargo test --workspace` and `cargo hooks local`",
        shown(&handlers)
    );
    Ok(())
}

/// What a manifest lacks for a handler as `scaffold/handler.rs.j2` writes it.
fn missing(metadata: &Value, manifest: &Path) -> Vec<&'static str> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let is_it =
        |package: &&Value| package["manifest_path"].as_str().map(Path::new) == Some(manifest);
    let handlers = packages.filter(is_it).flat_map(|package| package["dependencies"].as_array());
    let dependencies: Vec<&Value> = handlers.flatten().collect();
    let has = |name: &str, is_enough: fn(&Value) -> bool| {
        dependencies.iter().any(|dependency| dependency["name"] == name && is_enough(dependency))
    };
    let has_testing = |dependency: &Value| {
        let mut features = dependency["features"].as_array().into_iter().flatten();
        features.any(|feature| feature == "testing")
    };
    let mut missing = Vec::new();
    if !has("tracing", |dependency| dependency["kind"].is_null()) {
        missing.push("`tracing = \"0.1\"` to its [dependencies]");
    }
    if !has("atlassian-hooks", has_testing) {
        missing.push(
            "`atlassian-hooks = { workspace = true, features = [\"testing\"] }` to its \
             [dev-dependencies]",
        );
    }
    if !has("tokio", |_| true) {
        missing.push(
            "`tokio = { version = \"1\", features = [\"macros\", \"rt\"] }` to its \
             [dev-dependencies]",
        );
    }
    missing
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = written.and_then(|()| fs::write(path, text));
    written
        .with_context(|| format!("{} cannot be written; check its permissions", path.display()))?;
    println!("wrote {}", shown(path));
    Ok(())
}
