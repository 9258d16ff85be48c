//! Builds the functions with cargo.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::root;

/// How the functions are built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// Quickly, for this machine.
    #[default]
    Dev,
    /// As they are deployed.
    Release,
}

/// Builds every function and returns the folder with their binaries. cargo shows its own progress.
///
/// # Errors
///
/// When cargo is missing or the build fails.
pub async fn build(profile: Profile) -> anyhow::Result<PathBuf> {
    // Together with the tool, so that cargo settles on one set of features for both: asked for the
    // functions alone, it would compile both AWS SDKs again.
    let mut build = cargo();
    build.args(["build", "--workspace", "--bins"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    let mut build = tokio::process::Command::from(build);
    let status = build.status().await.context("cargo could not be started")?;
    if !status.success() {
        bail!("the functions could not be built; cargo says above why");
    }
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Ok(target().await?.join(folder))
}

/// cargo's target folder, which a user may have moved.
///
/// # Errors
///
/// When cargo cannot say.
pub async fn target() -> anyhow::Result<PathBuf> {
    let metadata = tokio::task::spawn_blocking(metadata).await??;
    let target = metadata["target_directory"].as_str();
    Ok(target.context("cargo metadata names no target directory")?.into())
}

/// What cargo says of the packages of the workspace.
///
/// # Errors
///
/// When cargo cannot say.
pub fn metadata() -> anyhow::Result<serde_json::Value> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    serde_json::from_slice(&output.stdout).context("cargo metadata did not print JSON")
}

fn cargo() -> Command {
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.current_dir(root::workspace());
    // cargo describes this tool to it. Build scripts that look at such variables would take the
    // description for a change, and be run again.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| name.starts_with(own)) {
            cargo.env_remove(&*name);
        }
    }
    cargo
}
