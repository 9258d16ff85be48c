//! `cargo hooks dead`

use std::io::stdout;

use crate::account::{Account, StackArgs};
use crate::dead_letters::{Filter, Form, Queues, list};

/// List dead letters: events that no handler could handle, and why
///
/// Listing leaves them in their dead-letter queues. Without --stack, those of the running local
/// stack are listed.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks dead --stack my-app\n  \
        cargo hooks dead --stack my-app --event jira:issue_created --json\n\n\
        AWS permissions: cloudformation:DescribeStacks, sqs:ReceiveMessage,\n\
        sqs:ChangeMessageVisibility")]
pub struct Args {
    #[command(flatten)]
    letters: DeadLetterArgs,
    /// Maximum number of dead letters to read for each handler
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

/// Which dead letters are meant.
#[derive(clap::Args, Debug)]
pub struct DeadLetterArgs {
    #[command(flatten)]
    stack: StackArgs,
    /// Only dead letters of this handler
    #[arg(long, value_name = "NAME")]
    handler: Option<String>,
    /// Only dead letters of this event, such as jira:issue_created
    #[arg(long)]
    event: Option<String>,
    /// Only dead letters of the tenant with this client key
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// Only the one of this delivery: the delivery.id of the log
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
}

impl DeadLetterArgs {
    pub(super) async fn queues(&self) -> anyhow::Result<Queues> {
        let handler = self.handler.as_deref();
        let StackArgs { stack, port, account } = &self.stack;
        match stack {
            Some(stack) => {
                let config = account.config().await;
                Queues::deployed(&config, &Account::stack(&config, stack).await?, handler)
            }
            None => Queues::local(*port, handler).await,
        }
    }

    pub(super) fn filter(&self) -> Filter {
        Filter {
            event: self.event.clone(),
            tenant: self.tenant.clone(),
            delivery: self.delivery.clone(),
        }
    }
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no such stack or handler, or AWS does not answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let queues = args.letters.queues().await?;
    let form = if args.json { Form::Json } else { Form::Table };
    list(&queues, &args.letters.filter(), args.limit, form, &mut stdout()).await?;
    Ok(())
}
