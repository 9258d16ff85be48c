//! Checks that every declared event has a handler that takes it, and every handler an event.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::payloads::{forge_mismatch, lifecycle_mismatch, mismatch, taken};
use super::{Finding, shown};
use crate::plan::{Declarations, Plan, Receiver};

pub(super) fn check(declared: Declarations<'_>, plan: &Plan, folder: &Path) -> Vec<Finding> {
    let written = match names(folder) {
        Ok(written) => written,
        Err(error) => {
            return vec![Finding::error(
                shown(folder),
                format!("the folder cannot be read: {error}; check that it exists"),
            )];
        }
    };
    let named: BTreeSet<String> =
        plan.handlers.iter().map(|handler| handler.name.clone()).collect();
    let missing = named.difference(&written).map(|name| {
        let urls = plan.urls.iter().filter(|url| url.handler.name == *name);
        let mut urls: Vec<&str> = urls.map(|url| &*url.route).collect();
        if plan.lifecycle_handler.as_ref().is_some_and(|handler| handler.name == *name) {
            urls.push("lifecycle.handler of the configuration");
        }
        Finding::error(
            shown(&folder.join(format!("{name}.rs"))),
            format!(
                "it is missing, and {} needs it; create it, or name another handler with {}",
                urls.join(", "),
                named_in(plan, name),
            ),
        )
    });
    let idle = written.difference(&named).map(|name| {
        Finding::error(
            shown(&folder.join(format!("{name}.rs"))),
            if plan.forge {
                "no declared event uses it; declare one, or delete the file"
            } else {
                "no webhook in the descriptor uses it; declare one, or delete the file"
            },
        )
    });
    let mismatched =
        named.intersection(&written).flat_map(|name| wired(declared, plan, folder, name));
    missing.chain(idle).chain(mismatched).collect()
}

/// Where the handler with this name was named.
fn named_in(plan: &Plan, name: &str) -> String {
    let mut urls = plan.urls.iter().filter(|url| url.handler.name == name);
    match urls.next().map(|url| &url.receiver) {
        Some(Receiver::Forge { key, .. }) => {
            format!("`forge: {{ endpoints: {{ {key}: {{ handler: … }} }} }}` in the configuration")
        }
        _ => "\"params\": {\"handler\": …} in the descriptor".to_owned(),
    }
}

/// The events of a handler that it cannot read.
fn wired(declared: Declarations<'_>, plan: &Plan, folder: &Path, name: &str) -> Vec<Finding> {
    let source = source(folder, name);
    // A file that cannot be read or parsed is the compiler's to report.
    let Some(takes) = std::fs::read_to_string(&source).ok().and_then(|text| taken(&text)) else {
        return Vec::new();
    };
    let webhooks = declared.descriptor.into_iter().flat_map(|one| &one.modules.webhooks);
    let webhooks = webhooks.filter(|webhook| webhook.handler() == name);
    let wrong =
        webhooks.filter_map(|webhook| mismatch(&takes, &webhook.event, webhook.exclude_body));
    let endpoints = plan.urls.iter().filter(|url| url.handler.name == name);
    let endpoints = endpoints.filter(|url| matches!(url.receiver, Receiver::Forge { .. }));
    let events: BTreeSet<&String> = endpoints.flat_map(|url| &url.events).collect();
    let wrong = wrong.chain(events.into_iter().filter_map(|event| forge_mismatch(&takes, event)));
    let has_callbacks = plan.lifecycle_handler.as_ref().is_some_and(|handler| handler.name == name);
    let wrong = wrong.chain(lifecycle_mismatch(&takes).filter(|_| has_callbacks));
    wrong.map(|advice| Finding::error(shown(&source), advice)).collect()
}

fn source(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(format!("{name}.rs"));
    if file.is_file() { file } else { folder.join(name).join("main.rs") }
}

/// The existing handlers: `name.rs` or `name/main.rs`, as cargo finds binaries.
fn names(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        if path.extension().is_some_and(|extension| extension == "rs")
            || path.join("main.rs").is_file()
        {
            names.extend(name);
        }
    }
    Ok(names)
}
