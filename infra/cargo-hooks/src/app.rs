//! The app that a command works on: the Cargo workspace it is run in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, bail};
use atlassian_connect::descriptor::Descriptor;
use atlassian_forge::manifest::Manifest;
use serde_json::Value;

use template::check::{
    Declared, Finding, Severity, misspelt, read_configuration, shown, sound_configuration,
    sound_declarations, sound_descriptor, sound_manifest,
};
use template::configuration::{self, Configuration};
use template::forge;
use template::plan::Declarations;

/// An app, by the folder of its workspace.
#[derive(Clone, Debug)]
pub struct App {
    root: PathBuf,
    /// The output of `cargo metadata`.
    metadata: Value,
}

impl App {
    /// The table in the workspace's `Cargo.toml` by which an app is known:
    /// `[workspace.metadata.atlassian-hooks]`.
    pub const MARKER: &str = "atlassian-hooks";

    /// Finds the app in the current folder or above it, once for a process.
    ///
    /// # Errors
    ///
    /// Fails if there is no workspace, or it is not an app.
    pub fn find() -> anyhow::Result<&'static Self> {
        static APP: OnceLock<App> = OnceLock::new();
        if let Some(app) = APP.get() {
            return Ok(app);
        }
        let app = Self::of(&std::env::current_dir()?)?;
        Ok(APP.get_or_init(|| app))
    }

    /// Finds the app in a folder or above it.
    ///
    /// # Errors
    ///
    /// Fails as [`App::find`] does.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let output = cargo(folder)
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .stderr(Stdio::piped())
            .output()
            .context(
                "cargo could not be started; install a Rust toolchain from https://rustup.rs",
            )?;
        if !output.status.success() {
            bail!("{}", unreadable(folder, &String::from_utf8_lossy(&output.stderr)));
        }
        let metadata: Value = serde_json::from_slice(&output.stdout)
            .context("`cargo metadata` did not print JSON; check the Rust toolchain")?;
        let root = metadata["workspace_root"].as_str();
        let root = PathBuf::from(
            root.context("`cargo metadata` printed no workspace; check the Rust toolchain")?,
        );
        if metadata["metadata"][Self::MARKER].is_null() {
            bail!(
                "the workspace in {} is not an app; to make it one, add \
                 [workspace.metadata.{}] to its Cargo.toml, or create a new one with \
                 `cargo hooks new my-app`",
                root.display(),
                Self::MARKER,
            );
        }
        Ok(Self { root, metadata })
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The output of `cargo metadata`.
    pub fn metadata(&self) -> &Value {
        &self.metadata
    }

    /// The declarations of a Connect app, which users edit: `infra/atlassian-connect.json`.
    pub fn descriptor_path(&self) -> PathBuf {
        self.root.join("infra/atlassian-connect.json")
    }

    /// The declarations of a Forge app, which users edit: `infra/manifest.yml`.
    pub fn manifest_path(&self) -> PathBuf {
        self.root.join(forge::PATH)
    }

    /// The text of the descriptor.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be read.
    pub fn descriptor_text(&self) -> anyhow::Result<String> {
        let path = self.descriptor_path();
        if !path.exists() && self.manifest_path().exists() {
            bail!(
                "the app is one of Forge, and has no {}; this command is for Connect apps",
                shown(&path)
            );
        }
        std::fs::read_to_string(&path).with_context(|| {
            format!(
                "the app's descriptor {} cannot be read; restore it, or create an app with \
                 `cargo hooks new my-app`",
                shown(&path)
            )
        })
    }

    /// The descriptor, if a template can be made from it. What is wrong with it is printed.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor cannot be read, or something in it is wrong.
    pub fn descriptor(&self) -> anyhow::Result<Descriptor> {
        self.descriptor_text()?;
        sound_descriptor(&self.descriptor_path()).map_err(|findings| {
            print_errors(&findings);
            anyhow::anyhow!("correct the descriptor first")
        })
    }

    /// The manifest of a Forge app, if there is one and a template can be made from it. What is wrong
    /// with it is printed.
    ///
    /// # Errors
    ///
    /// Fails if the manifest cannot be read, or something in it is wrong.
    pub fn manifest(&self) -> anyhow::Result<Option<Manifest>> {
        sound_manifest(&self.manifest_path()).map_err(|findings| {
            print_errors(&findings);
            anyhow::anyhow!("correct the manifest first")
        })
    }

    /// What the app declares to Atlassian, if a template can be made from it: by its descriptor, its
    /// manifest, or both. What is wrong with it is printed.
    ///
    /// # Errors
    ///
    /// Fails if there is neither, one cannot be read, or something in it is wrong.
    pub fn declarations(&self) -> anyhow::Result<Declared> {
        Ok(self.checked_declarations()?.0)
    }

    /// As [`declarations`](Self::declarations), and prints what looks wrong as well: all warnings of
    /// `cargo hooks check` about them.
    ///
    /// # Errors
    ///
    /// Fails as [`declarations`](Self::declarations) does.
    pub fn declarations_with_warnings(&self) -> anyhow::Result<Declared> {
        let misspelt = misspelt(&self.descriptor_path());
        misspelt.iter().for_each(|finding| eprintln!("{finding}"));
        let (declared, findings) = self.checked_declarations()?;
        findings.iter().for_each(|finding| eprintln!("{finding}"));
        Ok(declared)
    }

    fn checked_declarations(&self) -> anyhow::Result<(Declared, Vec<Finding>)> {
        let (descriptor, manifest) = (self.descriptor_path(), self.manifest_path());
        let configuration = read_configuration(&self.configuration_path());
        // An app of signed webhooks alone.
        let is_named = configuration.is_ok_and(|configuration| configuration.app.is_some());
        if !descriptor.exists() && !manifest.exists() && !is_named {
            bail!(
                "the app has neither a descriptor {} nor a manifest {}; restore it, or create an app \
                 with `cargo hooks new my-app`",
                shown(&descriptor),
                shown(&manifest)
            );
        }
        sound_declarations(&descriptor, &manifest).map_err(|findings| {
            print_errors(&findings);
            anyhow::anyhow!("correct what the app declares first")
        })
    }

    /// The app's configuration, which it need not have: `infra/atlassian-hooks.yaml`.
    pub fn configuration_path(&self) -> PathBuf {
        self.root.join(configuration::PATH)
    }

    /// The configuration, if a template can be made from it. What is wrong with it is printed.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, or something in it is wrong.
    pub fn configuration<'a>(
        &self,
        declared: impl Into<Declarations<'a>>,
    ) -> anyhow::Result<Configuration> {
        sound_configuration(&self.configuration_path(), declared).map_err(|findings| {
            print_errors(&findings);
            anyhow::anyhow!("correct the configuration first")
        })
    }

    /// The file that is written from declarations and configuration: `template.yaml`.
    pub fn template_path(&self) -> PathBuf {
        self.root.join("template.yaml")
    }

    /// The folder of the handlers, one file each: `functions/handlers/src/bin`.
    pub fn handlers_path(&self) -> PathBuf {
        self.root.join("functions/handlers/src/bin")
    }

    /// Where a local stack leaves what other commands need: `.hooks`.
    pub fn state_path(&self) -> PathBuf {
        self.root.join(".hooks")
    }

    /// The target folder of cargo, which a user may have moved.
    ///
    /// # Errors
    ///
    /// Fails if cargo does not report it.
    pub fn target_path(&self) -> anyhow::Result<PathBuf> {
        let target = self.metadata["target_directory"].as_str();
        Ok(target
            .context("`cargo metadata` printed no target directory; check the Rust toolchain")?
            .into())
    }

    /// cargo, in the folder of the app.
    pub fn cargo(&self) -> Command {
        cargo(&self.root)
    }
}

fn print_errors(findings: &[Finding]) {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    errors.for_each(|finding| eprintln!("{finding}"));
}

/// Why cargo finds no workspace, in one sentence.
fn unreadable(folder: &Path, problem: &str) -> String {
    if problem.contains("could not find `Cargo.toml`") {
        return format!(
            "there is no app in {} or above it; go to an app's folder, or create one with \
             `cargo hooks new my-app`",
            folder.display(),
        );
    }
    // The first line says what, and one with an arrow where.
    let mut lines = problem.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or("no error was printed").trim_start_matches("error: ");
    let place = lines.find_map(|line| line.strip_prefix("--> "));
    let place = place.map_or_else(String::new, |place| format!(" at {place}"));
    format!("cargo cannot read the app's manifests: {what}{place}; correct that first")
}

fn cargo(folder: &Path) -> Command {
    // Set by the cargo that runs this as its subcommand.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(folder);
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
