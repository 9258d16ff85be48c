//! Checks that every webhook has a handler, and every handler a webhook.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Finding, shown};
use crate::plan::Plan;

pub(super) fn check(plan: &Plan, folder: &Path) -> Vec<Finding> {
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
                "it is missing, and {} needs it; create it, or name another handler with \
                 \"params\": {{\"handler\": …}} in the descriptor",
                urls.join(", "),
            ),
        )
    });
    let idle = written.difference(&named).map(|name| {
        Finding::error(
            shown(&folder.join(format!("{name}.rs"))),
            "no webhook in the descriptor uses it; declare one, or delete the file",
        )
    });
    missing.chain(idle).collect()
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
