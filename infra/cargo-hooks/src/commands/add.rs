//! `cargo hooks add`

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use atlassian_connect::descriptor::Descriptor;

use crate::addition::{Wanted, add, formatted};
use crate::app::App;
use template::check::shown;
use template::{TemplateOptions, render_with};

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
    for (path, text) in &addition.files {
        let path = app.root().join(path);
        // An existing body or handler may have been edited.
        if path.exists() {
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "rs") {
            write(&path, &formatted(text, app.root()))?;
        } else {
            write(&path, text)?;
        }
    }
    let extras = fs::read_to_string(app.template_path()).unwrap_or_default();
    let descriptor = Descriptor::parse(&addition.descriptor)?;
    write(&app.descriptor_path(), &addition.descriptor)?;
    write(&app.template_path(), &render_with(&descriptor, TemplateOptions::of(&extras))?)?;

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

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = written.and_then(|()| fs::write(path, text));
    written
        .with_context(|| format!("{} cannot be written; check its permissions", path.display()))?;
    println!("wrote {}", shown(path));
    Ok(())
}
