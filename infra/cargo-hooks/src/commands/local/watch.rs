//! `cargo hooks local --watch`: what is built again when a source changes, and what is restarted.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::console;
use crate::app::App;
use crate::binaries::{self, Profile};
use sam_template_runner::Stack;

/// Builds the functions whenever a source of theirs changes, and restarts those whose binary did.
///
/// Never ends. `began` is when the build of the functions that run began: what was saved after that
/// is a change.
pub(super) async fn follow(
    app: &App,
    profile: Profile,
    template: &Path,
    stack: &Stack,
    began: SystemTime,
) -> Infallible {
    let restart = [template.to_owned(), app.descriptor_path()];
    let functions = stack.deployment().functions.values();
    let binaries = functions.map(|function| function.binary.as_str()).collect();
    let sources = Sources { app, profile, binaries };
    let seen = || {
        let mut seen = sources.seen();
        seen.extend(restart.iter().filter_map(|path| Some((path.clone(), modified(path)?))));
        seen
    };
    // What cargo itself writes in a build is no change.
    let lock = app.root().join("Cargo.lock");
    let locked = || modified(&lock).map(|modified| (lock.clone(), modified));
    let mut known = seen();
    known.retain(|_, modified| *modified <= began);
    known.extend(locked());
    loop {
        tokio::time::sleep(INTERVAL).await;
        let mut now = seen();
        if now == known {
            continue;
        }
        // Editors and version control write several files, one after the other.
        loop {
            tokio::time::sleep(INTERVAL).await;
            let later = seen();
            if later == now {
                break;
            }
            now = later;
        }
        let changed = changes(&known, &now);
        known = now;
        for path in &changed {
            let path = path.strip_prefix(app.root()).unwrap_or(path);
            console::step("Changed", &path.display().to_string());
        }
        if changed.iter().any(|path| restart.contains(path)) {
            let what = "the descriptor and the template are read at the start: stop this command, \
                        run `cargo hooks template`, and start it again";
            console::step("Unchanged", what);
        }
        if changed.iter().any(|path| !restart.contains(path)) {
            match rebuild(app, profile, stack).await {
                Ok(restarted) => console::step("Restarted", &restarted),
                Err(error) => {
                    let what = format!("{error:#}; until then the functions stay as they were");
                    console::step("Failed", &what);
                }
            }
            known.extend(locked());
        }
    }
}

async fn rebuild(app: &App, profile: Profile, stack: &Stack) -> anyhow::Result<String> {
    binaries::build(app, profile).await?;
    let restarted = stack.reload().await?;
    if restarted.is_empty() {
        return Ok("nothing: the functions are the same as before".into());
    }
    Ok(format!("{}; queues, tables and tenants are kept", restarted.join(", ")))
}

/// How often files are looked at. Saved files that are this far apart are one change.
///
/// They are not watched by the system: the crate for that has a licence this project does not take,
/// and an app has a few hundred files.
const INTERVAL: Duration = Duration::from_millis(500);

/// When each file was last modified.
type Seen = BTreeMap<PathBuf, SystemTime>;

/// The sources of the functions.
struct Sources<'a> {
    app: &'a App,
    profile: Profile,
    /// The names of the functions' binaries.
    binaries: BTreeSet<&'a str>,
}

impl Sources<'_> {
    /// The files beside each library or program of the workspace, those that cargo has compiled
    /// into the functions, and the manifests.
    ///
    /// cargo's list alone has no file that was added since the last build that succeeded.
    fn seen(&self) -> Seen {
        let mut seen = Seen::new();
        let target = self.app.target_path().unwrap_or_default();
        let mut add = |path: PathBuf| {
            if !path.starts_with(&target)
                && let Some(modified) = modified(&path)
            {
                seen.insert(path, modified);
            }
        };
        add(self.app.root().join("Cargo.toml"));
        add(self.app.root().join("Cargo.lock"));
        for package in self.app.metadata()["packages"].as_array().into_iter().flatten() {
            add(path_of(&package["manifest_path"]));
            for folder in source_folders(package) {
                walk(&folder, &target, &mut add);
            }
        }
        for binary in &self.binaries {
            let listed = target.join(self.profile.folder()).join(format!("{binary}.d"));
            let listed = fs::read_to_string(listed).unwrap_or_default();
            dependencies(&listed).for_each(&mut add);
        }
        seen
    }
}

/// The folders of a package's libraries and programs; not those of its tests.
fn source_folders(package: &Value) -> BTreeSet<PathBuf> {
    let targets = package["targets"].as_array().into_iter().flatten();
    let is_built = |target: &&Value| {
        let kinds = target["kind"].as_array().into_iter().flatten().filter_map(Value::as_str);
        !kinds.clone().any(|kind| ["test", "bench", "example", "custom-build"].contains(&kind))
    };
    let paths = targets.filter(is_built).map(|target| path_of(&target["src_path"]));
    paths.filter_map(|path| Some(path.parent()?.to_owned())).collect()
}

fn path_of(value: &Value) -> PathBuf {
    value.as_str().unwrap_or_default().into()
}

/// Every file below a folder, but for what is hidden or built.
fn walk(folder: &Path, target: &Path, add: &mut impl FnMut(PathBuf)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') || path == target {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&path, target, add),
            Ok(kind) if kind.is_file() => add(path),
            _ => {}
        }
    }
}

/// The files in a `.d` file: `program: file file`, with a backslash before a blank in a name.
fn dependencies(listed: &str) -> impl Iterator<Item = PathBuf> {
    let lines = listed.lines().filter_map(|line| line.split_once(": "));
    lines.flat_map(|(_, files)| {
        let files = files.replace("\\ ", "\0");
        let files = files.split_whitespace().map(|file| file.replace('\0', " ").into());
        files.collect::<Vec<PathBuf>>()
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}

/// The files that were added, modified or removed.
fn changes(before: &Seen, now: &Seen) -> BTreeSet<PathBuf> {
    let all = before.keys().chain(now.keys());
    all.filter(|path| before.get(*path) != now.get(*path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_lists() {
        let listed = "/t/debug/one: /a/src/lib.rs /a/my\\ app/main.rs\n\n/t/debug/two: /b.rs\n";
        let expected = ["/a/src/lib.rs", "/a/my app/main.rs", "/b.rs"].map(PathBuf::from);
        assert_eq!(dependencies(listed).collect::<Vec<_>>(), expected);
    }

    /// What a user does to files, and whether the functions are built again for it.
    #[test]
    fn sees_every_change_of_a_source_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let manifest = "[workspace]\n[workspace.metadata.atlassian-hooks]\n\
                        [package]\nname = \"app\"\nedition = \"2024\"\n";
        write("Cargo.toml", manifest);
        write("src/main.rs", "fn main() {}");
        write("included.txt", "");
        let app = App::of(folder.path()).unwrap();
        let target = app.target_path().unwrap();
        let list = format!("app: {}", app.root().join("included.txt").display());
        write(target.join("debug/app.d").to_str().unwrap(), &list);
        let sources = Sources { app: &app, profile: Profile::Dev, binaries: ["app"].into() };
        let rows = [
            ("src/main.rs", true),
            ("src/new/module.rs", true),
            ("src/new/page.html", true),
            ("included.txt", true),
            ("Cargo.toml", true),
            ("Cargo.lock", true),
            ("tests/app.rs", false),
            ("src/.main.rs.swp", false),
            (".hooks/state/sqs.journal", false),
            ("target/debug/build/out.rs", false),
            ("README.md", false),
        ];
        for (path, is_source) in rows {
            let before = sources.seen();
            write(path, "");
            let file = fs::File::options().write(true).open(folder.path().join(path)).unwrap();
            // Two writes may be in one tick of the file system's clock.
            file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
            let changed = changes(&before, &sources.seen());
            assert_eq!(!changed.is_empty(), is_source, "{path}: {changed:?}");
        }
        let before = sources.seen();
        fs::remove_file(folder.path().join("src/new/module.rs")).unwrap();
        assert_eq!(changes(&before, &sources.seen()).len(), 1);
    }
}
