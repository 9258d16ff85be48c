//! The programs that are measured: this repository's functions and their floors, as they are deployed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde::Deserialize;

/// What is deployed, and what is measured beside it. The features of dependencies are those of all of
/// these together, which are the features of the first four.
const PRODUCT: [&str; 5] = ["descriptor", "handlers", "lifecycle", "receiver", "bench-functions"];
/// The floors, whose dependencies have features of their own.
const FLOORS: [&str; 1] = ["bench-floors"];

/// Builds programs and all floors in the release profile, and returns where each is.
pub(crate) fn build(names: &[&str]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut programs = built(&PRODUCT, names)?;
    if let Some(name) = names.iter().find(|name| !programs.contains_key(**name)) {
        bail!("cargo has built no {name}; which package has it now?");
    }
    programs.extend(built(&FLOORS, &[])?);
    Ok(programs)
}

/// Builds some programs of packages, or all.
fn built(packages: &[&str], names: &[&str]) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--message-format=json-render-diagnostics"]);
    build.args(packages.iter().flat_map(|package| ["--package", *package]));
    build.args(names.iter().flat_map(|name| ["--bin", *name]));
    let output = build.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    if !output.status.success() {
        bail!("the programs cannot be built; the lines above say why");
    }
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let built = lines.filter_map(|line| serde_json::from_slice::<Artifact>(line).ok());
    Ok(built.filter_map(|built| Some((built.target.name, built.executable?))).collect())
}

/// A line of cargo about what it has built.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// The length of the archive that a program is deployed as, in bytes: a ZIP file with one entry,
/// compressed as far as deflate can.
pub(crate) fn archived(program: &Path) -> anyhow::Result<u64> {
    let bytes =
        std::fs::read(program).with_context(|| format!("{} cannot be read", program.display()))?;
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&bytes)?;
    let deflated = deflate.finish()?.len() + ZIP_HEADERS;
    Ok(u64::try_from(deflated)?)
}

/// The headers of an entry named `bootstrap`, at its place and in the directory, and the directory's end.
const ZIP_HEADERS: usize = 30 + 46 + 2 * "bootstrap".len() + 22;

/// The first line that a command prints, if the command is installed.
pub(crate) fn first_line_of(command: &str, argument: impl AsRef<OsStr>) -> Option<String> {
    let output = Command::new(command).arg(argument).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    text.lines().next().map(str::to_owned)
}
