//! `cargo hooks recover`

use jiff::{SignedDuration, Timestamp};
use tenants::{Secrets, Table};

use crate::account::Account;
use crate::app::App;
use crate::dead_letters::Queues;
use crate::recover::{Recover, jiras, recover};
use crate::terminal::escaped;
use template::plan::Plan;

/// Fetch the webhooks that Jira could not deliver, and queue them
///
/// Jira keeps webhooks that failed after the last retry for 72 hours. Each webhook keeps its
/// identifier, so one that did arrive is not handled twice. Confluence has no such list.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks recover --stack my-app --dry-run\n  \
        cargo hooks recover --stack my-app --hours 6\n\n\
        AWS permissions: cloudformation:DescribeStacks, dynamodb:GetItem, dynamodb:Scan,\n\
        kms:Decrypt, sqs:SendMessage")]
pub struct Args {
    /// Name of the deployed stack
    #[arg(long, value_name = "NAME")]
    stack: String,
    #[command(flatten)]
    account: Account,
    /// Only webhooks of the tenant with this client key
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// Only webhooks that failed within this many hours
    #[arg(long, value_name = "HOURS", default_value_t = 72, value_parser = clap::value_parser!(u16).range(1..=72))]
    hours: u16,
    /// Count the webhooks that would be queued, and queue none
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no such stack, or AWS or one of the sites does not answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let app = App::find()?;
    app.descriptor_text()?;
    let declared = app.declarations()?;
    let plan = Plan::of(&declared, &app.configuration(&declared)?);
    let config = args.account.config().await;
    let stack = Account::stack(&config, &args.stack).await?;
    let queues = Queues::deployed(&config, &stack, None)?;
    let secrets = Secrets::new(&config, stack.output("TenantsKey").ok(), &plan.app_key);
    let table = Table::new(&config, stack.output("TenantsTable")?, secrets);
    let now = Timestamp::now();
    let what = Recover {
        since: now - SignedDuration::from_hours(args.hours.into()),
        dry_run: args.dry_run,
    };
    let client = atlassian_simulator::client()?;
    let mut failures = 0;
    for jira in jiras(&table, now).await? {
        if args.tenant.as_deref().is_some_and(|tenant| tenant != jira.key.as_str()) {
            continue;
        }
        let site = escaped(&jira.base_url);
        match recover(&jira, &plan, &client, &what, &queues).await {
            Ok(done) => {
                let verb = if args.dry_run { "would be queued" } else { "queued" };
                println!("{site}: {} {verb}, {} left", done.queued, done.left);
                if done.crowded > 0 {
                    println!("{site}: Jira may not have listed all of them, see above");
                }
            }
            // One site that does not answer does not stop the others.
            Err(error) => {
                failures += 1;
                eprintln!("{site}: {}", escaped(&format!("{error:#}")));
            }
        }
    }
    anyhow::ensure!(failures == 0, "{failures} sites failed, see above; run it again for those");
    Ok(())
}
