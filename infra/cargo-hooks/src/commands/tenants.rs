//! `cargo hooks tenants`

use std::fs::File;
use std::io::{
    BufRead, BufReader, BufWriter, IsTerminal as _, Read as _, Write as _, stderr, stdin, stdout,
};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use atlassian_connect::tenant::SharedSecret;
use runtime::environment::optional;
use signed_webhooks::{Kind, Proof, TenantName};
use tenants::MAX_SECRET_LEN;
use zeroize::Zeroizing;

use crate::account::{Account, StackArgs};
use crate::app::App;
use crate::dead_letters::{Form, Queues};
use crate::session::write_private;
use crate::template::plan::Declarations;
use crate::transfer::{self, Store, Summary, signed};

/// List the tenants of a stack, add those that sign their webhooks, move tenants from and to other stores,
/// and replace their data key
///
/// A tenant is a site that has the app installed, or whoever has a secret to sign webhooks with. Without
/// --stack, the tenants are those of the running local stack.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    List(ListArgs),
    Add(AddArgs),
    Rotate(RotateArgs),
    Remove(RemoveArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Reseal(ResealArgs),
}

/// List who has the app installed or signs its webhooks, and who uninstalled it or was removed in the last
/// ninety days
///
/// A tenant that is `imported` has sent no install since it was imported without a date.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants list --stack my-app\n  \
        cargo hooks tenants list --stack my-app --json\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:Scan")]
struct ListArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Add a tenant that signs its webhooks, and print its secret
///
/// Enter the secret in the product, as that of a webhook whose URL has the tenant's name. It is made from
/// random numbers, and printed only once. The secret of an OAuth 2.0 app is made by Atlassian: give it with
/// --secret-stdin or --secret-env.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants add acme --kind jira --stack my-app\n  \
        cargo hooks tenants add acme-app --kind jira-oauth --secret-stdin --stack my-app < secret\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:GetItem, dynamodb:UpdateItem,\n\
        kms:Decrypt, kms:GenerateDataKey")]
struct AddArgs {
    /// Name of the tenant, as its URL has it: lower-case letters, digits and hyphens
    name: TenantName,
    /// Kind of sender: jira, jira-oauth, jira-data-center, confluence-data-center, bitbucket or
    /// bitbucket-data-center
    #[arg(long)]
    kind: Kind,
    #[command(flatten)]
    secret: SecretArgs,
    #[command(flatten)]
    stack: StackArgs,
}

/// Replace the secret of a tenant that signs its webhooks, and print the new one
///
/// Both secrets are valid until the new one is entered in the product, for a day at most unless
/// --previous-for says otherwise. A second rotation within this time ends the first secret at once.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants rotate acme --stack my-app\n  \
        cargo hooks tenants rotate acme --previous-for 0 --stack my-app    # the old one is known to others\n\n\
        A receiver can accept the old secret for five minutes longer.\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:GetItem, dynamodb:UpdateItem,\n\
        kms:Decrypt, kms:GenerateDataKey")]
struct RotateArgs {
    /// Name of the tenant
    name: TenantName,
    /// For how many hours the old secret stays valid
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u16).range(..=8760))]
    previous_for: u16,
    #[command(flatten)]
    secret: SecretArgs,
    #[command(flatten)]
    stack: StackArgs,
}

/// Remove the secrets of a tenant that signs its webhooks
///
/// Its webhooks are refused from then on. A receiver can accept some for five minutes longer.
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  \
        cargo hooks tenants remove acme --stack my-app\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:UpdateItem")]
struct RemoveArgs {
    /// Name of the tenant
    name: TenantName,
    #[command(flatten)]
    stack: StackArgs,
}

/// Where a secret comes from that is not made. There is no option with the secret itself: other users of a
/// machine can see the arguments of a command.
#[derive(clap::Args, Debug)]
struct SecretArgs {
    /// Read the secret from standard input, without the line break at its end
    #[arg(long)]
    secret_stdin: bool,
    /// Read the secret from this environment variable
    #[arg(long, value_name = "VARIABLE", conflicts_with = "secret_stdin")]
    secret_env: Option<String>,
}

/// Write one JSON object per tenant, for an import or another program
///
/// Tenants that sign their webhooks are left out: give each a new secret in the other stack.
///
/// Secrets are left out, unless --with-secrets asks for them. Whoever has a tenant's secret can sign
/// webhooks as that tenant, and call its site as the app.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants export --stack my-app > tenants.jsonl\n  \
        cargo hooks tenants export --stack old --with-secrets | cargo hooks tenants import --stack new\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:Scan; and for secrets\n\
        dynamodb:GetItem, kms:Decrypt")]
struct ExportArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Write the decrypted secrets too; not to a terminal
    #[arg(long)]
    with_secrets: bool,
    /// New file that only you can read [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Import tenants from another stack, atlassian-connect-express or atlassian-connect-spring-boot
///
/// Each line is a JSON object: a line of `cargo hooks tenants export`, the body of an install, a row of
/// AddonSettings, or a row of atlassian_host. infra/OPERATIONS.md has a command for each store.
///
/// A tenant that a callback has recorded is replaced only by a line with a later `signedAt`, in seconds
/// since 1970. Without one an import is provisional: the tenant's next install replaces it. The same
/// lines can be imported again. Tenants that uninstalled the app are skipped.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants import tenants.jsonl --stack my-app --dry-run\n  \
        sqlite3 store.db \"SELECT val FROM AddonSettings WHERE key = 'clientInfo'\" |\n    \
        cargo hooks tenants import --stack my-app\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:GetItem, dynamodb:UpdateItem,\n\
        kms:Decrypt, kms:GenerateDataKey")]
struct ImportArgs {
    /// File with the lines [default: standard input]
    file: Option<PathBuf>,
    #[command(flatten)]
    stack: StackArgs,
    /// Say what would be imported, and import nothing
    #[arg(long)]
    dry_run: bool,
}

/// Encrypt all secrets with a new data key
///
/// After a data key may have been read by somebody else, and once after an update from a release whose
/// secrets KMS encrypts one by one. No site notices, and installs may go on. Secrets that were read stay
/// known: only a new install changes a secret. An hour later, --remove-old removes the data keys that
/// encrypt nothing any more.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks tenants reseal --stack my-app\n  \
        cargo hooks tenants reseal --stack my-app --remove-old\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:Scan, dynamodb:GetItem,\n\
        dynamodb:UpdateItem, kms:Decrypt, kms:GenerateDataKey")]
struct ResealArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Make no data key, and remove those that encrypt no secret since an hour
    #[arg(long)]
    remove_old: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no such stack, AWS does not answer, or a line could not be imported.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::List(args) => list(args).await,
        Action::Add(args) => add(args).await,
        Action::Rotate(args) => rotate(args).await,
        Action::Remove(args) => remove(args).await,
        Action::Export(args) => export(args).await,
        Action::Import(args) => import(args).await,
        Action::Reseal(args) => reseal(args).await,
    }
}

async fn list(args: ListArgs) -> anyhow::Result<()> {
    let store = store(&args.stack).await?;
    let form = if args.json { Form::Json } else { Form::Table };
    transfer::list(&store, form, &mut stdout().lock()).await?;
    Ok(())
}

async fn add(args: AddArgs) -> anyhow::Result<()> {
    let AddArgs { name, kind, secret, stack } = args;
    let given = secret.read()?;
    if given.is_none() && kind.spec().proof == Proof::Token {
        bail!(
            "Atlassian makes the secret of an OAuth 2.0 app; copy it from the app's settings, and give it \
             with --secret-stdin or --secret-env"
        );
    }
    let (secret, is_new) = given_or_made(given)?;
    let store = store_to_write(&stack).await?;
    signed::add(&store, &name, kind, &secret).await?;
    eprintln!("{name} is added, a tenant of the kind {kind}");
    tell(&secret, is_new, "the webhook in the product, whose URL has the tenant's name");
    Ok(())
}

async fn rotate(args: RotateArgs) -> anyhow::Result<()> {
    let RotateArgs { name, previous_for, secret, stack } = args;
    let given = secret.read()?;
    let store = store_to_write(&stack).await?;
    let kind = signed::kind(&store, &name).await?;
    if given.is_none() && kind.spec().proof == Proof::Token {
        bail!(
            "Atlassian makes the secret of an OAuth 2.0 app; make a new one in the app's settings, and give \
             it with --secret-stdin or --secret-env"
        );
    }
    let (secret, is_new) = given_or_made(given)?;
    let hours = Duration::from_secs(u64::from(previous_for) * 60 * 60);
    signed::rotate(&store, &name, &secret, hours).await?;
    if previous_for == 0 {
        eprintln!("{name} has a new secret, and the old one is no longer valid");
    } else {
        eprintln!("{name} has a new secret, and the old one stays valid for {previous_for} hours");
    }
    tell(&secret, is_new, "the webhook in the product");
    Ok(())
}

async fn remove(args: RemoveArgs) -> anyhow::Result<()> {
    let store = store_to_write(&args.stack).await?;
    signed::remove(&store, &args.name).await?;
    println!("{} is removed", args.name);
    Ok(())
}

impl SecretArgs {
    /// The secret that is given; `None` if one should be made.
    fn read(&self) -> anyhow::Result<Option<SharedSecret>> {
        let secret = match &self.secret_env {
            Some(name) => Zeroizing::new(optional(name).with_context(|| {
                format!("the environment variable {name} is not set; set it to the secret")
            })?),
            None if self.secret_stdin => {
                let mut secret = Zeroizing::new(String::new());
                let mut input = stdin().lock().take(2 * MAX_SECRET_LEN as u64);
                let read = input.read_to_string(&mut secret);
                read.context("the secret cannot be read from standard input; it must be UTF-8")?;
                secret
            }
            None => return Ok(None),
        };
        let secret = secret.strip_suffix('\n').unwrap_or(&secret);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        ensure!(
            !secret.is_empty(),
            "the secret is empty; give another, or let this command make one"
        );
        Ok(Some(SharedSecret::new(secret)))
    }
}

/// A secret, and whether it was made here.
fn given_or_made(given: Option<SharedSecret>) -> anyhow::Result<(SharedSecret, bool)> {
    match given {
        Some(given) => Ok((given, false)),
        None => Ok((signed::generated()?, true)),
    }
}

/// Prints a secret that was made here, alone on standard output.
fn tell(secret: &SharedSecret, is_new: bool, place: &str) {
    if is_new {
        eprintln!("enter this secret for {place}; it is not printed again:");
        println!("{}", secret.expose());
    }
}

async fn export(args: ExportArgs) -> anyhow::Result<()> {
    let file = args.output.as_deref();
    if args.with_secrets && file.is_none() && stdout().is_terminal() {
        bail!("secrets are not printed to a terminal; name a file with --output, or use a pipe");
    }
    if let Some(file) = file {
        ensure!(
            !file.exists(),
            "{} exists; remove it, or name another file with --output",
            file.display()
        );
    }
    let store = store(&args.stack).await?;
    let Some(file) = file else {
        let mut out = BufWriter::new(stdout().lock());
        transfer::export(&store, args.with_secrets, &mut out).await?;
        return Ok(out.flush()?);
    };
    let mut lines = Zeroizing::new(Vec::new());
    let count = transfer::export(&store, args.with_secrets, &mut *lines).await?;
    write_private(file, &lines)?;
    eprintln!("{}: {count} tenants", file.display());
    Ok(())
}

async fn import(args: ImportArgs) -> anyhow::Result<()> {
    let file = args.file.as_ref().map(|path| {
        let unreadable = || format!("{} cannot be read; name a file of lines", path.display());
        File::open(path).with_context(unreadable)
    });
    let file = file.transpose()?;
    if file.is_none() && stdin().is_terminal() {
        bail!("there is nothing to import; name a file, or pipe the lines to this command");
    }
    let store = store_to_write(&args.stack).await?;
    let (mut out, mut problems) = (stdout(), stderr());
    let lines: Box<dyn BufRead> = match file {
        Some(file) => Box::new(BufReader::new(file)),
        None => Box::new(stdin().lock()),
    };
    let summary = transfer::import(&store, lines, args.dry_run, &mut out, &mut problems).await?;
    // What failed before a pipe leaves no other trace.
    ensure!(
        summary != Summary::default(),
        "there was no line to import; check the file, or the command that should have written lines"
    );
    let Summary { imported, unchanged, outdated, uninstalled, others, invalid } = summary;
    let verb = if args.dry_run { "would be imported" } else { "imported" };
    println!(
        "{imported} {verb}, {unchanged} unchanged, {outdated} kept; skipped: {uninstalled} \
         uninstalled, {others} other settings, {invalid} invalid"
    );
    ensure!(
        invalid == 0,
        "{invalid} lines were not imported, see above; correct them and run it again: the others stay \
         the same"
    );
    Ok(())
}

async fn reseal(args: ResealArgs) -> anyhow::Result<()> {
    let store = store_to_write(&args.stack).await?;
    let (mut out, mut problems) = (stdout(), stderr());
    if args.remove_old {
        return transfer::remove_data_keys(&store, &mut out).await;
    }
    let unreadable = transfer::reseal(&store, &mut out, &mut problems).await?;
    ensure!(
        unreadable == 0,
        "the secrets of {unreadable} tenants cannot be decrypted, see above; their rows are as they were"
    );
    Ok(())
}

async fn store(stack: &StackArgs) -> anyhow::Result<Store> {
    opened(stack, false).await
}

/// A store to import to. The stack must have the handlers of the app in this folder: secrets are
/// encrypted for that app, and another one could not decrypt them.
async fn store_to_write(stack: &StackArgs) -> anyhow::Result<Store> {
    opened(stack, true).await
}

async fn opened(args: &StackArgs, to_write: bool) -> anyhow::Result<Store> {
    let app = App::find()?;
    let declared = app.declarations()?;
    let configuration = app.configuration(&declared)?;
    let is_connect = declared.descriptor.is_some();
    let app_key = Declarations::from(&declared).app_key(&configuration);
    let Some(name) = &args.stack else { return Store::local(args.port, app_key) };
    let config = args.account.config().await;
    let stack = Account::stack(&config, name).await?;
    if to_write {
        Queues::deployed(&config, &stack, None)?;
    }
    Store::deployed(&config, &stack, app_key, is_connect)
}
