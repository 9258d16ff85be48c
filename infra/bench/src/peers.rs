//! The peers on Node: their packages, and how they are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::environment::Program;
use crate::programs::first_line_of;

/// The peers, with their packages installed.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    folder: PathBuf,
    /// The version of Node.
    pub(crate) node: String,
}

impl Peers {
    /// Installs the packages of the peers in a folder, unless they are there. `None` without Node or npm.
    pub(crate) fn install(folder: &Path) -> anyhow::Result<Option<Self>> {
        let (node, npm) = (first_line_of("node", "--version"), first_line_of("npm", "--version"));
        let (Some(node), Some(_)) = (node, npm) else { return Ok(None) };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/node");
        let folder = folder.join("node");
        std::fs::create_dir_all(&folder)?;
        let lock = std::fs::read(sources.join(LOCK))?;
        // npm keeps a copy of what it has installed.
        let is_installed = std::fs::read(folder.join(INSTALLED)).is_ok_and(|was| was == lock);
        for file in std::fs::read_dir(&sources)? {
            let file = file?;
            std::fs::copy(file.path(), folder.join(file.file_name()))?;
        }
        if !is_installed {
            let mut npm = Command::new("npm");
            npm.args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder);
            let installed = npm.status().context("npm does not start")?;
            anyhow::ensure!(installed.success(), "npm cannot install {}", sources.display());
            std::fs::write(folder.join(INSTALLED), lock)?;
        }
        Ok(Some(Self { folder, node }))
    }

    /// A peer that is run as a function, by the name of its file.
    pub(crate) fn program(&self, name: &str) -> Program {
        Program {
            name: name.to_owned(),
            executable: "node".into(),
            folder: self.folder.clone(),
            arguments: vec![self.folder.join(format!("{name}.js")).into()],
            variables: [("NODE_ENV", "production"), ("AC_OPTS", "no-reg")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
        }
    }

    /// The file of a peer, by its name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.js"))
    }
}

const LOCK: &str = "package-lock.json";
/// The lock file of what is installed.
const INSTALLED: &str = "installed-lock.json";
