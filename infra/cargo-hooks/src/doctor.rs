//! What the commands need of this machine, and what of it is there.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use runtime::environment;
use semver::Version;
use serde::Serialize;
use template::check::{Severity, framework_version, sound_configuration, sound_declarations};
use template::render;

use crate::account::{Account, credentials};
use crate::app::App;
use crate::session::Session;
use crate::terminal::{escaped, escaped_json};

/// One thing that the commands need.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is needed for.
    pub group: Group,
    /// What it is.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do if it is not there, or not right.
    pub advice: Option<String>,
}

/// What a thing is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// To run an app on this machine.
    Local,
    /// To build an app for Lambda, and deploy it.
    Deploy,
    /// To operate a stack.
    Operate,
}

/// Whether a thing is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there.
    Ok,
    /// It is needed and not there, or not right.
    Missing,
    /// It is not there, and much works without it.
    Optional,
}

/// Looks at everything.
pub async fn examine(port: u16, account: &Account) -> Vec<Row> {
    let app = App::find();
    let session = session().await;
    let mut rows = vec![toolchain(app.as_ref().ok().copied()), compiler()];
    rows.push(free_port(port, session.as_deref().ok()));
    match &app {
        Ok(app) => {
            rows.extend(declarations(app));
            rows.extend([template(app), versions(app)]);
        }
        Err(error) => rows.push(Row::optional(Group::Local, "app", "none", format!("{error:#}"))),
    }
    rows.extend([
        tool("SAM CLI", &["sam", "--version"], SAM_ADVICE),
        tool("cargo-lambda", &["cargo-lambda", "lambda", "--version"], LAMBDA_ADVICE),
        zig(),
        target(),
    ]);
    rows.extend(aws(account).await);
    rows.push(match session {
        Ok(url) => Row::ok(Group::Operate, "local stack", format!("answers at {url}")),
        Err(found) => {
            Row::optional(Group::Operate, "local stack", found, "`cargo hooks local` starts one")
        }
    });
    rows
}

/// Writes the rows as a table for people.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_table(rows: &[Row], out: &mut impl Write) -> std::io::Result<()> {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    let groups = [
        (Group::Local, "To run locally"),
        (Group::Deploy, "To deploy"),
        (Group::Operate, "To operate"),
    ];
    for (number, (group, title)) in groups.into_iter().enumerate() {
        let space = if number == 0 { "" } else { "\n" };
        writeln!(out, "{space}{BOLD}{title}{BOLD:#}")?;
        for row in rows.iter().filter(|row| row.group == group) {
            let (state, style) = match row.state {
                State::Ok => ("ok", AnsiColor::Green.on_default()),
                State::Missing => ("missing", AnsiColor::Red.on_default()),
                State::Optional => ("optional", AnsiColor::Yellow.on_default()),
            };
            let (name, found) = (row.name, escaped(&row.found));
            write!(out, "  {style}{state:<8}{style:#}  {name:<width$}  {found}")?;
            match &row.advice {
                Some(advice) => writeln!(out, "; {}", escaped(advice))?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}

/// Writes the rows as one JSON object a line.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_json(rows: &[Row], out: &mut impl Write) -> std::io::Result<()> {
    rows.iter().try_for_each(|row| writeln!(out, "{}", escaped_json(&serde_json::to_string(row)?)))
}

const BOLD: Style = Style::new().bold();

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Row {
    fn ok(group: Group, name: &'static str, found: impl Into<String>) -> Self {
        Self { group, name, state: State::Ok, found: found.into(), advice: None }
    }

    fn missing(
        group: Group,
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let (found, advice) = (found.into(), Some(advice.into()));
        Self { group, name, state: State::Missing, found, advice }
    }

    fn optional(
        group: Group,
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { state: State::Optional, ..Self::missing(group, name, found, advice) }
    }
}

/// The first line that a command prints, or nothing if it cannot be run.
fn says(command: &[&str]) -> Option<String> {
    let (program, arguments) = command.split_first()?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn toolchain(app: Option<&App>) -> Row {
    const NAME: &str = "Rust";
    let wanted = app.and_then(wanted_version);
    let wanted = wanted.or_else(|| Version::parse(env!("CARGO_PKG_RUST_VERSION")).ok());
    let wanted = wanted.unwrap_or_else(|| Version::new(1, 0, 0));
    let rustc = environment::optional("RUSTC").unwrap_or_else(|| "rustc".into());
    let cargo = environment::optional("CARGO").unwrap_or_else(|| "cargo".into());
    let Some((rustc, cargo)) = says(&[&rustc, "--version"]).zip(says(&[&cargo, "--version"]))
    else {
        let advice = "install a toolchain from https://rustup.rs, then open a new terminal";
        return Row::missing(Group::Local, NAME, "rustc or cargo cannot be run", advice);
    };
    let version = |text: &str| Version::parse(text.split_whitespace().nth(1)?).ok();
    let found = format!("{rustc}, {cargo}");
    // A nightly of the version counts as the version.
    match [version(&rustc), version(&cargo)].map(|found| {
        found.is_some_and(|found| (found.major, found.minor) >= (wanted.major, wanted.minor))
    }) {
        [true, true] => Row::ok(Group::Local, NAME, found),
        _ => Row::missing(
            Group::Local,
            NAME,
            format!("{found}, and {}.{} is needed", wanted.major, wanted.minor),
            "`rustup update`",
        ),
    }
}

/// The newest `rust-version` of the app's packages.
fn wanted_version(app: &App) -> Option<Version> {
    let packages = app.metadata()["packages"].as_array()?;
    let versions = packages.iter().filter_map(|package| package["rust_version"].as_str());
    // The patch number may be left out.
    let parsed = |version: &str| {
        Version::parse(version).or_else(|_| Version::parse(&format!("{version}.0"))).ok()
    };
    versions.filter_map(parsed).max()
}

fn compiler() -> Row {
    const NAME: &str = "C compiler";
    let own = environment::optional("CC");
    let names = own.as_deref().map_or(vec!["cc", "gcc", "clang"], |own| vec![own]);
    match names.iter().find_map(|name| says(&[name, "--version"])) {
        Some(found) => Row::ok(Group::Local, NAME, found),
        None => Row::missing(
            Group::Local,
            NAME,
            format!("{} cannot be run", names.join(", ")),
            "`sudo apt install gcc`, `sudo dnf install gcc`, or on macOS `xcode-select --install`",
        ),
    }
}

fn free_port(port: u16, stack: Option<&str>) -> Row {
    const NAME: &str = "port";
    if stack.is_some_and(|url| url.ends_with(&format!(":{port}"))) {
        return Row::ok(Group::Local, NAME, format!("{port} is the local stack's"));
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Row::ok(Group::Local, NAME, format!("{port} is free")),
        Err(error) => Row::optional(
            Group::Local,
            NAME,
            format!("{port} cannot be used: {error}"),
            "`cargo hooks local --port 0` takes any that is free",
        ),
    }
}

/// The descriptor, the manifest, or both.
fn declarations(app: &App) -> Vec<Row> {
    let (of_connect, of_forge) = (app.descriptor_path(), app.manifest_path());
    let found = sound_declarations(&of_connect, &of_forge);
    let (descriptor, manifest) = ("app descriptor", "manifest");
    match found {
        Ok((declared, _)) => {
            let descriptor = declared.descriptor.map(|one| {
                let webhooks = one.modules.webhooks.len();
                let found = format!("{} with {webhooks} webhooks", one.key);
                Row::ok(Group::Local, descriptor, found)
            });
            let manifest = declared.manifest.map(|one| {
                let events: usize = one.modules.trigger.iter().map(|one| one.events.len()).sum();
                let found = format!("{} with {events} events", one.app.id);
                Row::ok(Group::Local, manifest, found)
            });
            descriptor.into_iter().chain(manifest).collect()
        }
        Err(findings) => {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            let errors: Vec<String> = errors.map(ToString::to_string).collect();
            let advice = "correct it; `cargo hooks check` says more";
            let name =
                if of_connect.exists() || !of_forge.exists() { descriptor } else { manifest };
            vec![Row::missing(Group::Local, name, errors.join("; "), advice)]
        }
    }
}

fn template(app: &App) -> Row {
    const NAME: &str = "template.yaml";
    let Ok(text) = std::fs::read_to_string(app.template_path()) else {
        return Row::missing(Group::Local, NAME, "none", "`cargo hooks template` writes it");
    };
    let Ok((declared, _)) = sound_declarations(&app.descriptor_path(), &app.manifest_path()) else {
        let advice = "correct what the app declares first";
        return Row::optional(Group::Local, NAME, "cannot be compared", advice);
    };
    let Ok(configuration) = sound_configuration(&app.configuration_path(), &declared) else {
        let advice = "`cargo hooks check` says what is wrong with the configuration";
        return Row::missing(Group::Local, NAME, "cannot be compared", advice);
    };
    match render(&declared, &configuration) {
        Ok(current) if current == text => Row::ok(Group::Local, NAME, "up to date"),
        Ok(_) => Row::missing(
            Group::Local,
            NAME,
            "not what this version writes from what the app declares and configures",
            "`cargo hooks template`, then read the diff",
        ),
        Err(error) => Row::missing(
            Group::Local,
            NAME,
            format!("none comes of what the app declares: {error}"),
            "`cargo hooks check` says why",
        ),
    }
}

/// The versions of the tool, the crates and the template.
fn versions(app: &App) -> Row {
    const NAME: &str = "versions";
    let tool = template::VERSION;
    let lock = std::fs::read_to_string(app.root().join("Cargo.lock")).unwrap_or_default();
    let file = std::fs::read_to_string(app.template_path()).unwrap_or_default();
    let (crates, template) = (framework_version(&lock), template::version_of(&file));
    let said = |version: Option<&str>| version.unwrap_or("unknown").to_owned();
    let found = format!("tool {tool}, crates {}, template {}", said(crates), said(template));
    if [crates, template].into_iter().flatten().all(|version| version == tool) {
        return Row::ok(Group::Local, NAME, found);
    }
    Row::optional(Group::Local, NAME, found, "`cargo hooks check` says which to update")
}

fn tool(name: &'static str, command: &[&str], advice: &str) -> Row {
    match says(command) {
        Some(found) => Row::ok(Group::Deploy, name, found),
        None => Row::missing(Group::Deploy, name, format!("{} cannot be run", command[0]), advice),
    }
}

const SAM_ADVICE: &str = "`pip3 install aws-sam-cli`, or see https://docs.aws.amazon.com/\
                          serverless-application-model/latest/developerguide/install-sam-cli.html";

const LAMBDA_ADVICE: &str = "`pip3 install cargo-lambda`, which brings zig, or see \
                             https://www.cargo-lambda.info/guide/installation.html";

/// The linker of cargo-lambda, as a program or as a package of Python.
fn zig() -> Row {
    const NAME: &str = "zig";
    let found = says(&["zig", "version"]);
    match found.or_else(|| says(&["python3", "-m", "ziglang", "version"])) {
        Some(found) => Row::ok(Group::Deploy, NAME, found),
        None => Row::missing(Group::Deploy, NAME, "zig cannot be run", "`pip3 install ziglang`"),
    }
}

fn target() -> Row {
    const NAME: &str = "Lambda target";
    const TARGET: &str = "aarch64-unknown-linux-gnu";
    let libraries = says(&["rustc", "--print", "target-libdir", "--target", TARGET]);
    if libraries.is_some_and(|folder| Path::new(&folder).is_dir()) {
        return Row::ok(Group::Deploy, NAME, TARGET);
    }
    let advice = format!("`rustup target add {TARGET}`");
    Row::missing(Group::Deploy, NAME, format!("{TARGET} is not installed"), advice)
}

/// The region and the credentials, for which no network is used if there is nothing to ask it with.
async fn aws(account: &Account) -> [Row; 2] {
    const REGION: &str = "AWS region";
    const CREDENTIALS: &str = "AWS credentials";
    let no_region = || {
        let advice = "`export AWS_REGION=…`, or `aws configure`";
        Row::optional(Group::Operate, REGION, "none", advice)
    };
    if !account.is_configured() {
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter();
        let region = account.region().or_else(|| region.filter_map(environment::optional).next());
        return [
            region.map_or_else(no_region, |region| Row::ok(Group::Operate, REGION, region)),
            Row::optional(
                Group::Operate,
                CREDENTIALS,
                "none in the environment or the AWS CLI's files (the role of a machine is not \
                 looked for)",
                "`aws configure sso`, then `aws sso login`; deploying needs them too",
            ),
        ];
    }
    let asked = async {
        let config = account.config().await;
        let region = config.region().map(|region| region.as_ref().to_owned());
        (region, credentials(&config).await)
    };
    let Ok((region, credentials)) = tokio::time::timeout(PATIENCE, asked).await else {
        let advice = "is this machine online, and the profile right?";
        return [
            Row::optional(Group::Operate, REGION, "AWS did not answer", advice),
            Row::optional(Group::Operate, CREDENTIALS, "AWS did not answer", advice),
        ];
    };
    let credentials = match credentials {
        Ok(_) => Row::ok(Group::Operate, CREDENTIALS, "found, and not tried"),
        Err(error) => {
            let why = error.root_cause().to_string();
            let advice = "`aws sso login`, or name a profile with --profile";
            Row::optional(Group::Operate, CREDENTIALS, why, advice)
        }
    };
    [region.map_or_else(no_region, |region| Row::ok(Group::Operate, REGION, region)), credentials]
}

/// The URL of the local stack, if it answers; else what is there.
async fn session() -> Result<String, String> {
    let Ok(session) = Session::read(None) else { return Err("none is running".into()) };
    let client = atlassian_simulator::client().map_err(|error| format!("{error:#}"))?;
    let url = format!("{}{}", session.url, atlassian_connect::descriptor::Descriptor::PATH);
    match client.get(url).timeout(PATIENCE).send().await {
        Ok(answer) if answer.status().is_success() => Ok(session.url),
        Ok(answer) => Err(format!("{} answers {}", session.url, answer.status())),
        Err(_) => Err(format!("{} does not answer", session.url)),
    }
}
