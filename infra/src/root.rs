//! Paths in the checkout that this tool was built from.

use std::path::PathBuf;

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let infra = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    infra.parent().map_or(infra.clone(), Into::into)
}

/// The file that users edit.
pub fn descriptor() -> PathBuf {
    workspace().join("infra/atlassian-connect.json")
}

/// The file that is written from it.
pub fn template() -> PathBuf {
    workspace().join("template.yaml")
}

/// Where handlers are, one file each.
pub fn handlers() -> PathBuf {
    workspace().join("functions/handlers/src/bin")
}
