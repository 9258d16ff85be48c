//! Checks that declarations, events, handlers and template agree.

mod built;
mod descriptor;
mod endpoints;
mod handlers;
mod payloads;
mod spelling;
mod template;
mod versions;

pub use spelling::closest_event;
pub use template::{difference, invariants};

use std::fmt;
use std::path::Path;

use atlassian_connect::descriptor::Descriptor;
use atlassian_forge::manifest::Manifest;
use serde_json::Value;

use crate::configuration::{Configuration, Problem};
use crate::forge;
use crate::plan::{Declarations, Plan};

/// The files of an app.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The app descriptor. It need not be there if there is a manifest.
    pub descriptor: &'a Path,
    /// The manifest of a Forge app. It need not be there if there is a descriptor.
    pub manifest: &'a Path,
    /// The app's configuration. It need not be there.
    pub configuration: &'a Path,
    /// The template that was written from them.
    pub template: &'a Path,
    /// The folder of the handlers, one file each.
    pub handlers: &'a Path,
    /// What `cargo metadata` says of the workspace, for its manifests.
    pub metadata: &'a Value,
    /// The lock file of the workspace, for the versions of its crates.
    pub lock: &'a Path,
    /// The configuration of the SAM CLI. It need not be there.
    pub samconfig: &'a Path,
    /// The folder into which `sam build` builds. It need not be there.
    pub built: &'a Path,
}

/// Something that is wrong, or looks wrong, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Whether it stops a deployment.
    pub severity: Severity,
    /// The file, and the entry in it.
    pub place: String,
    /// What is wrong, and what to do.
    pub advice: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// It would not work.
    Error,
    /// It would work; perhaps not as meant.
    Warning,
    /// It is as it should be, and worth a look.
    Note,
}

impl Finding {
    pub(crate) fn error(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Error, place: place.into(), advice: advice.into() }
    }

    pub(crate) fn note(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Note, place: place.into(), advice: advice.into() }
    }

    pub(crate) fn warning(place: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, place: place.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        write!(f, "{severity}: {}: {}", self.place, self.advice)
    }
}

/// What was found in an app.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where its files disagree: descriptor, manifest, configuration, handlers, manifests, versions, and the
    /// template that is written from them.
    pub agreement: Vec<Finding>,
    /// What of the template, as it is, is not safe or not whole. Its notes list what the
    /// configuration allows handlers beyond what each needs.
    pub safety: Vec<Finding>,
}

impl Report {
    /// The number of errors.
    pub fn errors(&self) -> usize {
        let all = self.agreement.iter().chain(&self.safety);
        all.filter(|finding| finding.severity == Severity::Error).count()
    }
}

/// Checks everything.
pub fn check(files: &Files<'_>) -> Report {
    let mut report = Report { agreement: misspelt(files.descriptor), safety: Vec::new() };
    let configuration = read_configuration(files.configuration);
    let (app, configuration) = match (declared(files.descriptor, files.manifest), configuration) {
        (Ok((app, findings)), Ok(configuration)) => {
            report.agreement.extend(findings);
            (app, configuration)
        }
        (app, configuration) => {
            report.agreement.extend(app.err().into_iter().flatten());
            report.agreement.extend(configuration.err());
            return report;
        }
    };
    // A template made from a descriptor that is wrong would only repeat its faults.
    if report.errors() > 0 {
        return report;
    }
    let declared = Declarations::from(&app);
    report.agreement.extend(problems(files.configuration, &configuration, declared));
    if report.errors() > 0 {
        return report;
    }
    let plan = Plan::of(declared, &configuration);
    if let Some(manifest) = declared.manifest {
        let file = shown(files.manifest);
        let findings =
            endpoints::check(&file, manifest, declared.descriptor, &configuration, &plan);
        report.agreement.extend(findings);
        // Two URLs with the same name would only be one in the template.
        if report.errors() > 0 {
            return report;
        }
    }
    report.agreement.extend(endpoints::packages(&plan, files.metadata));
    report.agreement.extend(handlers::check(declared, &plan, files.handlers));
    let file = shown(files.template);
    match std::fs::read_to_string(files.template) {
        Ok(written) => {
            let findings = template::agreement(files.template, &written, declared, &configuration);
            report.agreement.extend(findings);
            let manifests = template::manifests(files.metadata, &file, &written, &configuration);
            report.agreement.extend(manifests);
            report.agreement.extend(built::check(files.built, files.samconfig, &written));
            report.safety = invariants(declared, &configuration, &file, &written);
        }
        Err(error) => {
            let advice = format!("the file cannot be read: {error}; run `cargo hooks template`");
            report.agreement.push(Finding::error(file, advice));
        }
    }
    report.agreement.extend(versions::check(files.lock));
    report
}

/// Reads a configuration. A file that is not there is one without entries.
///
/// # Errors
///
/// Returns a finding that says what is wrong with the file.
pub fn read_configuration(path: &Path) -> Result<Configuration, Finding> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            let advice = format!("the file cannot be read: {error}; check its permissions");
            return Err(Finding::error(shown(path), advice));
        }
    };
    Configuration::parse(&text).map_err(|problem| located(path, &problem))
}

/// Reads a configuration that a template can be made from.
///
/// # Errors
///
/// Returns the findings if there is an error among them.
pub fn sound_configuration<'a>(
    path: &Path,
    declared: impl Into<Declarations<'a>>,
) -> Result<Configuration, Vec<Finding>> {
    let configuration = read_configuration(path).map_err(|finding| vec![finding])?;
    let findings = problems(path, &configuration, declared.into());
    if findings.is_empty() { Ok(configuration) } else { Err(findings) }
}

fn problems(
    path: &Path,
    configuration: &Configuration,
    declared: Declarations<'_>,
) -> Vec<Finding> {
    let problems = configuration.problems(declared);
    problems.iter().map(|problem| located(path, problem)).collect()
}

fn located(path: &Path, problem: &Problem) -> Finding {
    let place =
        if problem.place.is_empty() { String::new() } else { format!(": {}", problem.place) };
    Finding::error(format!("{}{place}", shown(path)), &*problem.advice)
}

/// What an app declares to Atlassian, as it was read from its files. See [`Declarations`].
#[derive(Clone, Debug)]
pub struct Declared {
    /// The descriptor, if there is one.
    pub descriptor: Option<Descriptor>,
    /// The manifest, if there is one.
    pub manifest: Option<Manifest>,
}

impl<'a> From<&'a Declared> for Declarations<'a> {
    fn from(Declared { descriptor, manifest }: &'a Declared) -> Self {
        Self { descriptor: descriptor.as_ref(), manifest: manifest.as_ref() }
    }
}

/// Reads the declarations that a template can be made from: a descriptor, a manifest, or both. Returns
/// what looks wrong in them as well.
///
/// # Errors
///
/// Returns the findings if there is an error among them.
pub fn sound_declarations(
    descriptor: &Path,
    manifest: &Path,
) -> Result<(Declared, Vec<Finding>), Vec<Finding>> {
    let (app, findings) = declared(descriptor, manifest)?;
    let sound = findings.iter().all(|finding| finding.severity != Severity::Error);
    if sound { Ok((app, findings)) } else { Err(findings) }
}

/// Reads and checks the declarations. Fails if one cannot be read, or there is none.
fn declared(descriptor: &Path, manifest: &Path) -> Result<(Declared, Vec<Finding>), Vec<Finding>> {
    let has_manifest = manifest.exists();
    // An app of signed webhooks alone has only its configuration, which is beside the descriptor.
    let configuration = descriptor.with_file_name("atlassian-hooks.yaml");
    let is_signed = || read_configuration(&configuration).is_ok_and(|one| one.app.is_some());
    if !has_manifest && !descriptor.exists() && is_signed() {
        return Ok((Declared { descriptor: None, manifest: None }, Vec::new()));
    }
    if !has_manifest && !descriptor.exists() {
        let advice = format!(
            "it cannot be read, and neither can {}; restore one of them, or create an app with \
             `cargo hooks new my-app`",
            shown(manifest)
        );
        return Err(vec![Finding::error(shown(descriptor), advice)]);
    }
    let of_connect = (descriptor.exists() || !has_manifest).then(|| read_descriptor(descriptor));
    let of_forge = has_manifest.then(|| read_manifest(manifest));
    match (of_connect.transpose(), of_forge.transpose()) {
        (Ok(of_connect), Ok(of_forge)) => {
            let mut findings = of_connect.as_ref().map_or_else(Vec::new, descriptor::check);
            findings.extend(of_forge.iter().flat_map(|one| forge::check(one, manifest)));
            Ok((Declared { descriptor: of_connect, manifest: of_forge }, findings))
        }
        (of_connect, of_forge) => Err(of_connect.err().into_iter().chain(of_forge.err()).collect()),
    }
}

/// Reads a manifest that a template can be made from, if there is one.
///
/// # Errors
///
/// Returns the findings if there is an error among them.
pub fn sound_manifest(path: &Path) -> Result<Option<Manifest>, Vec<Finding>> {
    if !path.exists() {
        return Ok(None);
    }
    let manifest = read_manifest(path).map_err(|finding| vec![finding])?;
    let findings = forge::check(&manifest, path);
    let sound = findings.iter().all(|finding| finding.severity != Severity::Error);
    if sound { Ok(Some(manifest)) } else { Err(findings) }
}

/// Reads a manifest.
///
/// # Errors
///
/// Returns a finding that says what is wrong with the file.
fn read_manifest(path: &Path) -> Result<Manifest, Finding> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Finding::error(shown(path), format!("the file cannot be read: {error}; check the path"))
    })?;
    forge::read(&text, path)
}

/// Reads a descriptor that a template can be made from.
///
/// # Errors
///
/// Returns the findings if there is an error among them.
pub fn sound_descriptor(path: &Path) -> Result<Descriptor, Vec<Finding>> {
    let descriptor = read_descriptor(path).map_err(|finding| vec![finding])?;
    let findings = descriptor::check(&descriptor);
    let sound = findings.iter().all(|finding| finding.severity == Severity::Warning);
    if sound { Ok(descriptor) } else { Err(findings) }
}

/// Warns of names of members in a descriptor's file that are almost known ones, and have no effect.
pub fn misspelt(path: &Path) -> Vec<Finding> {
    // A file that cannot be read is a finding of others.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let descriptor = serde_json::from_str(&text).unwrap_or_default();
    spelling::check(&shown(path), &descriptor)
}

/// Checks a descriptor alone.
pub fn check_descriptor(descriptor: &Descriptor) -> Vec<Finding> {
    descriptor::check(descriptor)
}

/// Reads a descriptor.
///
/// # Errors
///
/// Returns a finding that says what is wrong with the file.
fn read_descriptor(path: &Path) -> Result<Descriptor, Finding> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Finding::error(shown(path), format!("the file cannot be read: {error}; check the path"))
    })?;
    Descriptor::parse(&text).map_err(|error| {
        let place = format!("{}:{}:{}", shown(path), error.line(), error.column());
        Finding::error(place, format!("it is not an app descriptor: {error}"))
    })
}

/// The version of the framework's crates in the text of a `Cargo.lock`.
pub fn framework_version(lock: &str) -> Option<&str> {
    versions::framework(lock)
}

/// A path as a person in the current folder would write it.
pub fn shown(path: &Path) -> String {
    let folder = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    /// An app in which everything agrees, before a test spoils it.
    fn app() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join(HANDLERS)).unwrap();
        for name in ["issue-created.rs", "page-created.rs"] {
            fs::write(at.join(HANDLERS).join(name), "").unwrap();
        }
        fs::create_dir(at.join("infra")).unwrap();
        fs::write(at.join("infra/atlassian-connect.json"), DESCRIPTOR).unwrap();
        let descriptor = Descriptor::parse(DESCRIPTOR).unwrap();
        fs::write(
            at.join("template.yaml"),
            crate::render(&descriptor, &Configuration::default()).unwrap(),
        )
        .unwrap();
        folder
    }

    const HANDLERS: &str = "functions/handlers/src/bin";

    const DESCRIPTOR: &str = r#"{
        "key": "com.example.checked", "authentication": {"type": "jwt"}, "scopes": ["READ"],
        "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
        "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
        "modules": {"webhooks": [
            {"event": "jira:issue_created", "url": "/issue-created"},
            {"event": "page_created", "url": "/page-created"}
        ]}
    }"#;

    fn findings(folder: &TempDir) -> Vec<String> {
        found(folder, &metadata("receiver", crate::HTTP_TIMEOUT))
    }

    fn found(folder: &TempDir, metadata: &Value) -> Vec<String> {
        let files = Files {
            descriptor: &folder.path().join("infra/atlassian-connect.json"),
            manifest: &folder.path().join("infra/manifest.yml"),
            configuration: &folder.path().join("infra/atlassian-hooks.yaml"),
            template: &folder.path().join("template.yaml"),
            handlers: &folder.path().join(HANDLERS),
            metadata,
            lock: &folder.path().join("Cargo.lock"),
            samconfig: &folder.path().join("samconfig.toml"),
            built: &folder.path().join(".aws-sam/build"),
        };
        let report = check(&files);
        report.agreement.iter().chain(&report.safety).map(Finding::to_string).collect()
    }

    /// What cargo says of a workspace with one function.
    fn metadata(binary: &str, timeout: u32) -> Value {
        let deploy = json!({"memory": crate::MEMORY, "timeout": timeout, "tracing": "passthrough"});
        json!({"packages": [{
            "name": binary,
            "targets": [{"kind": ["bin"], "name": binary}],
            "metadata": {"lambda": {"deploy": deploy}},
        }]})
    }

    #[test]
    fn finds_nothing_where_all_agrees() {
        assert_eq!(findings(&app()), Vec::<String>::new());
    }

    #[test]
    fn finds_each_disagreement_by_its_file() {
        type Spoil = fn(&Path);
        let rows: [(Spoil, &[&str]); 12] = [
            (
                |at| {
                    let taken = "use atlassian_hooks::{Delivery, confluence};\n\
                                 async fn handle(_: Delivery<confluence::PageEvent>) {}\n\
                                 fn main() { atlassian_hooks::run(handle) }";
                    fs::write(at.join(HANDLERS).join("page-created.rs"), taken).unwrap();
                    let text = "lifecycle: { handler: page-created }";
                    fs::write(at.join("infra/atlassian-hooks.yaml"), text).unwrap();
                    let descriptor = Descriptor::parse(DESCRIPTOR).unwrap();
                    let configuration = Configuration::parse(text).unwrap();
                    let template = crate::render(&descriptor, &configuration).unwrap();
                    fs::write(at.join("template.yaml"), template).unwrap();
                },
                &["page-created.rs", "every lifecycle callback", "Delivery<LifecycleEvent>"],
            ),
            (
                |at| {
                    let taken = "use atlassian_hooks::{Delivery, jira};\n\
                                 async fn handle(_: Delivery<jira::IssueEvent>) {}\n\
                                 fn main() { atlassian_hooks::run(handle) }";
                    for name in ["issue-created.rs", "page-created.rs"] {
                        fs::write(at.join(HANDLERS).join(name), taken).unwrap();
                    }
                },
                &["page-created.rs", "jira::IssueEvent", "page_created", "confluence::PageEvent"],
            ),
            (
                |at| {
                    let path = at.join("template.yaml");
                    let text = fs::read_to_string(&path).unwrap();
                    let old = text.replacen(crate::VERSION, "0.0.9", 1);
                    assert_ne!(old, text);
                    fs::write(path, old).unwrap();
                },
                &["template.yaml", "version 0.0.9", "cargo hooks template"],
            ),
            (
                |at| {
                    let crates = "[[package]]\nname = \"atlassian-hooks\"\nversion = \"0.0.9\"\n";
                    fs::write(at.join("Cargo.lock"), crates).unwrap();
                },
                &["Cargo.lock", "version 0.0.9", "cargo update"],
            ),
            (
                |at| {
                    fs::remove_file(at.join("functions/handlers/src/bin/page-created.rs")).unwrap()
                },
                &["page-created.rs", "missing", "/page-created"],
            ),
            (
                |at| fs::write(at.join("functions/handlers/src/bin/idle.rs"), "").unwrap(),
                &["idle.rs", "no webhook"],
            ),
            (
                |at| {
                    let path = at.join("template.yaml");
                    let text = fs::read_to_string(&path).unwrap();
                    let other = text.replacen("Webhooks of the", "Hooks of the", 1);
                    assert_ne!(other, text);
                    fs::write(path, other).unwrap();
                },
                &["template.yaml", "by hand", "--force", "-Description: 'Hooks of"],
            ),
            (
                |at| {
                    let path = at.join("infra/atlassian-hooks.yaml");
                    fs::write(path, "Outputs: { App: { Value: hooks } }").unwrap();
                },
                &["template.yaml", "not what", "cargo hooks template", "+  App:"],
            ),
            (
                |at| {
                    fs::write(at.join("infra/atlassian-hooks.yaml"), "handlers: [a]").unwrap();
                },
                &["atlassian-hooks.yaml: handlers", "invalid type", "correct it"],
            ),
            (
                |at| fs::remove_file(at.join("template.yaml")).unwrap(),
                &["template.yaml", "cannot be read", "cargo hooks template"],
            ),
            (
                |at| {
                    fs::write(at.join("infra/atlassian-connect.json"), "{\n  \"key\": 1\n}")
                        .unwrap()
                },
                &["atlassian-connect.json:2:10", "not an app descriptor"],
            ),
            (
                |at| fs::remove_file(at.join("infra/atlassian-connect.json")).unwrap(),
                &["atlassian-connect.json", "cannot be read", "manifest.yml"],
            ),
        ];
        for (spoil, words) in rows {
            let app = app();
            spoil(app.path());
            let findings = findings(&app);
            let [finding] = &findings[..] else { panic!("{words:?}: {findings:?}") };
            assert!(words.iter().all(|word| finding.contains(word)), "{finding}");
        }
    }

    const MANIFEST: &str = "
app: { id: 'ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107' }
permissions: { scopes: ['read:jira-work'] }
remotes: [{ key: hooks, baseUrl: 'https://hooks.example.com', operations: [compute] }]
modules:
  endpoint: [{ key: issueChanged, remote: hooks, route: { path: /forge/issue } }]
  trigger: [{ key: on-issue, endpoint: issueChanged, events: ['avi:jira:updated:issue'] }]
  preUninstall: [{ key: bye, endpoint: issueChanged }]
";

    /// An app of both worlds, in which a Forge endpoint and a webhook share a handler.
    fn with_manifest(manifest: &str) -> (TempDir, Value) {
        let app = app();
        let at = app.path();
        fs::write(at.join("infra/manifest.yml"), manifest).unwrap();
        let text = "forge: { endpoints: { issueChanged: { handler: issue-created } } }";
        fs::write(at.join("infra/atlassian-hooks.yaml"), text).unwrap();
        write_template(at);
        let mut both = metadata("receiver", crate::HTTP_TIMEOUT);
        let mut other = metadata("forge-receiver", crate::HTTP_TIMEOUT);
        let packages = both["packages"].as_array_mut().unwrap();
        packages.append(other["packages"].as_array_mut().unwrap());
        (app, both)
    }

    fn write_template(at: &Path) {
        let paths = ["infra/atlassian-connect.json", "infra/manifest.yml"];
        let [descriptor, manifest] = paths.map(|path| at.join(path));
        let configuration = read_configuration(&at.join("infra/atlassian-hooks.yaml")).unwrap();
        // A wrong one is what a test is about.
        if let Ok((declared, _)) = sound_declarations(&descriptor, &manifest) {
            let template = crate::render(&declared, &configuration).unwrap();
            fs::write(at.join("template.yaml"), template).unwrap();
        }
    }

    #[test]
    fn finds_nothing_in_an_app_of_both_worlds() {
        let (app, metadata) = with_manifest(MANIFEST);
        assert_eq!(found(&app, &metadata), Vec::<String>::new());
        // Of Forge alone.
        fs::remove_file(app.path().join("infra/atlassian-connect.json")).unwrap();
        fs::remove_file(app.path().join(HANDLERS).join("page-created.rs")).unwrap();
        let all = found(&app, &metadata);
        let agree = "not what the manifest and the configuration ask for";
        assert!(all.iter().any(|finding| finding.contains(agree)), "{all:?}");
        write_template(app.path());
        assert_eq!(found(&app, &metadata), Vec::<String>::new());
    }

    #[test]
    fn finds_what_is_wrong_with_a_forge_app() {
        let (app, _) = with_manifest(MANIFEST);
        let [finding] = &findings(&app)[..] else { panic!("{:?}", findings(&app)) };
        assert!(finding.contains("functions/forge-receiver: it is missing"), "{finding}");
        let rows = [
            ("remote: hooks", "remote: hook", &["manifest.yml", "did you mean hooks?"]),
            ("/forge/issue", "/issue-created", &["manifest.yml", "a URL belongs to one sender"]),
            ("app: {", "app: [", &["manifest.yml", "not valid YAML"]),
        ];
        for (words, by, wanted) in rows {
            let (app, metadata) = with_manifest(&MANIFEST.replace(words, by));
            let found = found(&app, &metadata);
            let [finding] = &found[..] else { panic!("{found:?}") };
            assert!(wanted.iter().all(|words| finding.contains(words)), "{finding}");
        }
        let (app, metadata) = with_manifest(MANIFEST);
        let taken = "use atlassian_hooks::{Delivery, jira};\n\
                     async fn handle(_: Delivery<jira::IssueEvent>) {}\n\
                     fn main() { atlassian_hooks::run(handle) }";
        fs::write(app.path().join(HANDLERS).join("issue-created.rs"), taken).unwrap();
        let found = found(&app, &metadata);
        let [updated, uninstall] = &found[..] else { panic!("{found:?}") };
        assert!(updated.contains("avi:jira:updated:issue"), "{updated}");
        assert!(uninstall.contains("Delivery<forge::PreUninstallEvent>"), "{uninstall}");
    }
}
