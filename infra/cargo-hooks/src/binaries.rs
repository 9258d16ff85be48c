//! The build of the functions with cargo.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

use crate::app::App;

/// How the functions are built.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// The `dev` profile: quick to build.
    #[default]
    Dev,
    /// The `release` profile: as they are deployed.
    Release,
}

impl Profile {
    /// The folder of its binaries in cargo's target folder.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Builds every function of an app and returns the folder with their binaries. cargo shows its own
/// progress.
///
/// # Errors
///
/// Fails if cargo is missing or the build fails.
pub async fn build(app: &App, profile: Profile) -> anyhow::Result<PathBuf> {
    // Together with the tool, so that cargo settles on one set of features for both: asked for the
    // functions alone, it would compile both AWS SDKs again.
    let mut build = app.cargo();
    build.args(["build", "--workspace", "--bins"]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    let mut build = tokio::process::Command::from(build);
    build.kill_on_drop(true);
    let status = build
        .status()
        .await
        .context("cargo could not be started; install a Rust toolchain from https://rustup.rs")?;
    if !status.success() {
        bail!("the functions could not be built; correct the errors above");
    }
    Ok(app.target_path()?.join(profile.folder()))
}
