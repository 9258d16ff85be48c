//! The files of a new app, from the templates in the folder `scaffold` of this package.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;
use include_dir::{Dir, DirEntry, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use template::{HANDLER_TIMEOUT, HTTP_TIMEOUT, MEMORY};

/// The templates. Each has the suffix `.j2`, so that cargo takes none for a package of its own.
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scaffold");

/// What a new app is made from.
#[derive(Clone, Debug, Serialize)]
pub struct Scaffold {
    /// The app's key.
    pub key: String,
    /// Its name, for people.
    pub name: String,
    /// The name of its stack.
    pub stack: String,
    /// The products it is for, for people.
    pub products: &'static str,
    /// Whose events it receives.
    pub sender: Sender,
    /// Where its framework comes from.
    #[serde(flatten)]
    pub framework: Framework,
}

/// Where the crates and the tool come from.
#[derive(Clone, Debug, Serialize)]
pub struct Framework {
    /// What stands behind `atlassian-hooks =` in a manifest.
    pub framework: String,
    /// The command that installs the tool.
    pub install: String,
    /// The same for a machine that has nothing but the app; nothing if it cannot.
    pub install_in_ci: Option<String>,
}

impl Framework {
    /// The framework by its version, a folder with a checkout, or the URL of a git repository.
    ///
    /// # Errors
    ///
    /// Fails if there is no checkout in the folder.
    pub fn of(source: Option<&str>) -> anyhow::Result<Self> {
        match source {
            None => Ok(Self::by_version()),
            Some(url) if is_url(url) => Ok(Self::by_git(url)),
            Some(path) => Self::by_path(Path::new(path)),
        }
    }

    fn by_version() -> Self {
        let install = "cargo install --locked cargo-hooks".to_owned();
        let framework = format!("\"{}\"", requirement());
        Self { framework, install: install.clone(), install_in_ci: Some(install) }
    }

    fn by_git(source: &str) -> Self {
        let (url, reference) = match source.rsplit_once('#') {
            Some((url, reference)) => (url, Some(reference)),
            None => (source, None),
        };
        let reference = reference.map(|reference| {
            let is_commit =
                reference.len() >= 7 && reference.chars().all(|c| c.is_ascii_hexdigit());
            let is_tag = reference
                .strip_prefix('v')
                .is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
            let kind = match (is_commit, is_tag) {
                (true, _) => "rev",
                (_, true) => "tag",
                _ => "branch",
            };
            (kind, reference)
        });
        let url = url.trim_start_matches("git+");
        let (manifest, option) = match reference {
            Some((kind, reference)) => {
                (format!(", {kind} = {reference:?}"), format!(" --{kind} {reference}"))
            }
            None => Default::default(),
        };
        let install = format!("{INSTALL} --git {url}{option} cargo-hooks");
        let framework = format!("{{ git = {url:?}{manifest} }}");
        Self { framework, install: install.clone(), install_in_ci: Some(install) }
    }

    fn by_path(path: &Path) -> anyhow::Result<Self> {
        let facade = path.join("functions/crates/atlassian-hooks");
        let facade = facade.canonicalize().with_context(|| {
            format!(
                "there is no checkout of atlassian-hooks in {}; give its folder, or a git URL",
                path.display()
            )
        })?;
        let root = path.canonicalize()?;
        Ok(Self {
            framework: format!("{{ path = {:?} }}", facade.display().to_string()),
            install: format!("{INSTALL} --path {}/infra/cargo-hooks", root.display()),
            install_in_ci: None,
        })
    }
}

/// Installs the tool from its repository, whose release profile is made for functions: one codegen unit, and
/// everything optimised once more at link time. Nothing that the tool does is worth the wait.
const INSTALL: &str = "cargo install --debug --locked";

/// Whether the framework is named by a URL and not by a folder.
pub fn is_url(source: &str) -> bool {
    source.contains("://") || source.starts_with("git@")
}

/// The versions of the crates that an app of this tool can depend on: any patch of the tool's.
fn requirement() -> String {
    format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"))
}

/// What sends the events of an app.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A Connect app's webhooks
    #[default]
    Connect,
    /// A Forge app's triggers
    Forge,
    /// Webhooks that an administrator registers with a secret
    Signed,
}

impl Sender {
    /// The files and folders of an app that are not for other senders.
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &[
                ".vscode",
                "functions/descriptor",
                "functions/lifecycle",
                "functions/receiver",
                "infra/atlassian-connect.json",
            ],
            Self::Forge => &["functions/forge-receiver"],
            Self::Signed => &["functions/signed-receiver"],
        }
    }

    /// Whether it has secrets of tenants.
    fn has_tenants(self) -> bool {
        self != Self::Forge
    }

    /// Whether a file of an app is one for this sender.
    fn has(self, path: &Path) -> bool {
        let senders = Self::value_variants().iter();
        let mut others = senders.filter(|other| **other != self).flat_map(|other| other.own());
        !others.any(|own| path.starts_with(own))
    }
}

/// Writes the files of a new app that declares no event yet, by their paths.
///
/// # Errors
///
/// Returns an error of minijinja, which can only be a mistake in a template.
pub fn files(scaffold: &Scaffold) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let app = TEMPLATES.get_dir("app").context("the tool was built without its templates")?;
    let values = context! {
        rust_version => env!("CARGO_PKG_RUST_VERSION"),
        repository => env!("CARGO_PKG_REPOSITORY"),
        memory => MEMORY,
        http_timeout => HTTP_TIMEOUT,
        handler_timeout => HANDLER_TIMEOUT,
        tenants => scaffold.sender.has_tenants(),
        ..Value::from(Serde(scaffold))
    };
    let mut files = Vec::new();
    let mut folders = vec![app];
    while let Some(folder) = folders.pop() {
        for entry in folder.entries() {
            match entry {
                DirEntry::Dir(folder) => folders.push(folder),
                DirEntry::File(file) => {
                    let path = file.path().strip_prefix("app")?.with_extension("");
                    if !scaffold.sender.has(&path) {
                        continue;
                    }
                    let text = file.contents_utf8().context("a template is not UTF-8")?;
                    files.push((path, render(text, &values)?));
                }
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a handler.
///
/// # Errors
///
/// Returns an error of minijinja, which can only be a mistake in the template.
pub(crate) fn handler(values: Value) -> anyhow::Result<String> {
    let template = TEMPLATES.get_file("handler.rs.j2").and_then(|file| file.contents_utf8());
    render(template.context("the tool was built without its templates")?, &values)
}

fn render(template: &str, values: &Value) -> anyhow::Result<String> {
    let mut jinja = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    jinja.set_syntax(syntax.build()?);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    // Nothing here is HTML.
    jinja.set_auto_escape_callback(|_| AutoEscape::None);
    Ok(jinja.render_str(template, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_framework_as_cargo_does() {
        let rows = [
            (None, format!("\"{}\"", requirement())),
            (Some("https://x.test/a"), r#"{ git = "https://x.test/a" }"#.into()),
            (
                Some("https://x.test/a#main"),
                r#"{ git = "https://x.test/a", branch = "main" }"#.into(),
            ),
            (
                Some("https://x.test/a#v0.1.0"),
                r#"{ git = "https://x.test/a", tag = "v0.1.0" }"#.into(),
            ),
            (Some("git@x.test:a#0123abc"), r#"{ git = "git@x.test:a", rev = "0123abc" }"#.into()),
        ];
        for (source, wanted) in rows {
            assert_eq!(Framework::of(source).unwrap().framework, wanted);
        }
        let missing = Framework::of(Some("/nowhere")).unwrap_err().to_string();
        assert!(missing.contains("no checkout") && missing.contains("/nowhere"), "{missing}");
    }
}
