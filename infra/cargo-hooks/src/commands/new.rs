//! `cargo hooks new`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, anyhow, bail};
use atlassian_connect::descriptor::Descriptor;
use atlassian_connect::event::{EventName, Product};
use clap::ValueEnum;

use super::inspect::HANDLER;
use crate::addition::{self, add, formatted};
use crate::manifest::{Wanted, handlers, manifest};
use crate::scaffold::{self, Framework, Scaffold, Sender};
use crate::schema;
use template::configuration::{self, Configuration};
use template::forge::{self, NO_APP};
use template::plan::Declarations;
use template::render;

/// Create an app in a new folder
///
/// Writes a Cargo workspace with the functions, one handler for each product with its test, what declares
/// the events (the app descriptor, the manifest or the configuration), and the template that deploys it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks new my-app --key com.example.my-app\n  \
        cargo hooks new my-app --key com.example.my-app --product jira\n  \
        cargo hooks new my-app --sender forge\n  \
        cargo hooks new my-app --sender signed --product jira\n  \
        cargo hooks new webhook-inspector --inspector\n  \
        cargo hooks new my-app --framework ../atlassian-hooks")]
pub struct Args {
    /// Folder to create; must not exist, or must be empty
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// What sends the events
    #[arg(long, value_enum, default_value_t)]
    sender: Sender,
    /// Key of a Connect app, unique among all Atlassian apps [default: com.example.DIR]
    #[arg(long, value_name = "com.example.my-app")]
    key: Option<String>,
    /// Product whose events the app handles
    #[arg(long, value_enum, default_value_t = Products::Both)]
    product: Products,
    /// Create a webhook inspector: a Connect app that subscribes to every event of the product, and logs each
    #[arg(long)]
    inspector: bool,
    /// Folder with a checkout of the framework, or URL of its git repository, optionally with #REF
    /// [default: the released version of this tool]
    #[arg(long, value_name = "PATH|GIT_URL[#REF]")]
    framework: Option<String>,
}

/// The products of a new app.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Products {
    /// Jira
    Jira,
    /// Confluence
    Confluence,
    /// Jira and Confluence
    Both,
}

impl Products {
    fn events(self) -> Vec<String> {
        let events: &[&str] = match self {
            Self::Jira => &["jira:issue_created"],
            Self::Confluence => &["page_created"],
            Self::Both => &["jira:issue_created", "page_created"],
        };
        events.iter().map(|&event| event.to_owned()).collect()
    }

    fn events_of_forge(self) -> Vec<String> {
        let events: &[&str] = match self {
            Self::Jira => &["avi:jira:created:issue"],
            Self::Confluence => &["avi:confluence:created:page"],
            Self::Both => &["avi:jira:created:issue", "avi:confluence:created:page"],
        };
        events.iter().map(|&event| event.to_owned()).collect()
    }

    fn every_event(self) -> Vec<String> {
        let is_meant = |event: &&EventName| {
            let of = event.products();
            match self {
                Self::Jira => of.contains(&Product::Jira),
                Self::Confluence => of.contains(&Product::Confluence),
                Self::Both => true,
            }
        };
        EventName::ALL.iter().filter(is_meant).map(ToString::to_string).collect()
    }

    fn names(self) -> &'static str {
        match self {
            Self::Jira => "Jira",
            Self::Confluence => "Confluence",
            Self::Both => "Jira and Confluence",
        }
    }
}

/// Runs it.
///
/// # Errors
///
/// Fails if the folder is not empty, the app key is not valid, or a file cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let folder = &args.folder;
    let is_empty = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    };
    if !is_empty {
        bail!("{} is not an empty folder; choose one that does not exist", folder.display());
    }
    let name = folder.file_name().and_then(|name| name.to_str());
    let name =
        name.context("the folder has no name; give one, such as `cargo hooks new my-app`")?;
    let plain = slug(name);
    let scaffold = Scaffold {
        key: args.key.clone().unwrap_or_else(|| format!("com.example.{plain}")),
        name: name.to_owned(),
        stack: plain,
        products: args.product.names(),
        sender: args.sender,
        framework: Framework::of(args.framework.as_deref())?,
    };
    let files = match args.sender {
        Sender::Connect => files(&scaffold, args.product, args.inspector)?,
        Sender::Forge if args.key.is_some() => {
            bail!("a Forge app has no key; `forge register` gives it an id. Leave out --key")
        }
        Sender::Forge if args.inspector => {
            bail!("the inspector is a Connect app; leave out --sender or --inspector")
        }
        Sender::Forge => files_of_forge(&scaffold, args.product)?,
        Sender::Signed if args.inspector => {
            bail!("the inspector is a Connect app; leave out --sender or --inspector")
        }
        Sender::Signed if args.key.is_some() => bail!(
            "an app of signed webhooks has a name instead of a key: that of its folder. Leave out --key"
        ),
        Sender::Signed => files_of_signed(&scaffold, args.product)?,
    };

    fs::create_dir_all(folder).with_context(|| {
        format!("{} cannot be created; check the path and its permissions", folder.display())
    })?;
    for (path, text) in &files {
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let text = if is_rust { formatted(text, folder) } else { text.clone() };
        let path = folder.join(path);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| fs::write(&path, text));
        written.with_context(|| {
            format!("{} cannot be written; check its permissions", path.display())
        })?;
    }
    lock(folder, args.framework.as_deref());
    println!(
        "created {}, an app for {}, in {} files\n\n\
         next:\n  \
           cd {0}\n  \
           cargo hooks local                  # build it, run it here, send it a webhook\n  \
           cargo test --workspace\n  \
           {}",
        folder.display(),
        args.product.names(),
        files.len(),
        match args.sender {
            Sender::Connect => {
                "cargo hooks add EVENT              # `cargo hooks events` lists them"
            }
            Sender::Forge | Sender::Signed => "cargo hooks check",
        },
    );
    match args.sender {
        Sender::Connect if args.key.is_none() => {
            println!(
                "\nbefore you install the app, choose its key in infra/atlassian-connect.json"
            );
        }
        Sender::Connect => {}
        Sender::Forge => println!(
            "\nbefore you install the app, register it and write its URL to infra/manifest.yml; \
             README.md says how"
        ),
        Sender::Signed => println!(
            "\nonce it is deployed, give each site or workspace a secret with `cargo hooks tenants add`"
        ),
    }
    Ok(())
}

/// The handler of the inspector.
const INSPECTOR: &str = "\
//! Logs every event: its tenant, how its body was read, and the body.

fn main() -> std::process::ExitCode {
    atlassian_hooks::inspector::run()
}
";

/// All files of the app, by their paths in it.
fn files(
    scaffold: &Scaffold,
    products: Products,
    inspector: bool,
) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = scaffold::files(scaffold)?;
    let descriptor = files.iter_mut().find(|(path, _)| path.ends_with("atlassian-connect.json"));
    let (_, descriptor) = descriptor.context("the tool was built without a descriptor")?;
    let events = if inspector { products.every_event() } else { products.events() };
    let handler = inspector.then_some(HANDLER);
    let wanted = addition::Wanted { events: &events, handler, ..Default::default() };
    let addition = add(descriptor, wanted, |name| Some(name) == handler)?;
    *descriptor = addition.descriptor;
    let descriptor = Descriptor::parse(descriptor)?;
    let path = Path::new(configuration::PATH);
    let configuration = files.iter_mut().find(|(other, _)| other == path);
    let (_, configuration) = configuration.context("the tool was built without a configuration")?;
    if inspector {
        configuration.push_str("\ntemplate: { inspector: true }\n");
    }
    let template = render(&descriptor, &Configuration::parse(configuration)?)?;
    files.extend(addition.files);
    if inspector {
        files.push((format!("functions/handlers/src/bin/{HANDLER}.rs").into(), INSPECTOR.into()));
    }
    files.push(("template.yaml".into(), template));
    files.push((schema::PATH.into(), schema::text()));
    files.push((schema::CONFIGURATION_PATH.into(), schema::configuration_text()));
    Ok(files)
}

/// All files of a Forge app, by their paths in it.
fn files_of_forge(
    scaffold: &Scaffold,
    products: Products,
) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = scaffold::files(scaffold)?;
    let events = products.events_of_forge();
    let wanted = Wanted { app: NO_APP, url: EXAMPLE, events: &events, each: true };
    let (text, _) = manifest(wanted)?;
    let manifest =
        forge::read(&text, Path::new(forge::PATH)).map_err(|error| anyhow!("{error}"))?;
    files.extend(handlers(&text)?);
    files.push((forge::PATH.into(), format!("{MANIFEST}{text}")));
    files.push(("template.yaml".into(), render(&manifest, &Configuration::default())?));
    files.push((schema::CONFIGURATION_PATH.into(), schema::configuration_text()));
    Ok(files)
}

/// All files of an app of signed webhooks, by their paths in it.
fn files_of_signed(
    scaffold: &Scaffold,
    products: Products,
) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut files = scaffold::files(scaffold)?;
    // The bodies are those of Connect, and so are the handlers and their tests.
    let like = serde_json::json!({
        "key": scaffold.key,
        "authentication": { "type": "jwt" },
        "scopes": ["READ"],
        "apiMigrations": { "context-qsh": true, "signed-install": true },
        "lifecycle": { "installed": "/installed", "uninstalled": "/uninstalled" },
        "modules": { "webhooks": [] },
    });
    let wanted = addition::Wanted { events: &products.events(), ..Default::default() };
    files.extend(add(&like.to_string(), wanted, |_| false)?.files);
    let path = Path::new(configuration::PATH);
    let configuration = files.iter().find(|(other, _)| other == path);
    let (_, configuration) = configuration.context("the tool was built without a configuration")?;
    let configuration =
        Configuration::parse(configuration).map_err(|problem| anyhow!("{problem}"))?;
    files.push(("template.yaml".into(), render(Declarations::default(), &configuration)?));
    files.push((schema::CONFIGURATION_PATH.into(), schema::configuration_text()));
    Ok(files)
}

/// The URL of a Forge app that is not deployed yet.
const EXAMPLE: &str = "https://hooks.example.com";

/// What a manifest begins with.
const MANIFEST: &str = "\
# What the app declares to Forge: \"Manifest\" in Atlassian's documentation. `forge register` writes the id,
# and baseUrl is the output BaseUrl of the stack. Run `cargo hooks template` after a change.

";

/// Letters, digits and single hyphens: what can name a stack, and end a key.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
    if slug.starts_with(|c: char| c.is_ascii_alphabetic()) { slug } else { format!("app-{slug}") }
}

/// Writes `Cargo.lock` from what is on this machine, and from what the framework was tested with.
/// Where that is not enough, cargo writes it at the first build.
fn lock(folder: &Path, framework: Option<&str>) {
    if let Some(framework) = framework.filter(|framework| !scaffold::is_url(framework)) {
        let _ = fs::copy(Path::new(framework).join("Cargo.lock"), folder.join("Cargo.lock"));
    }
    let _ = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
}
