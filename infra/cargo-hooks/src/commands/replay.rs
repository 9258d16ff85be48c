//! `cargo hooks replay`

use super::dead::DeadLetterArgs;
use crate::dead_letters::{Replay, replay};

/// Move dead letters back to their handlers' queues
///
/// A dead letter is deleted only after the handler's queue has it, so an interrupted replay loses
/// none. Without --stack, those of the running local stack are moved.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks replay --stack my-app --dry-run\n  \
        cargo hooks replay --stack my-app --handler issue-created --rate 20\n\n\
        AWS permissions: as `cargo hooks dead`, and sqs:GetQueueAttributes, sqs:SendMessage,\n\
        sqs:DeleteMessage")]
pub struct Args {
    #[command(flatten)]
    letters: DeadLetterArgs,
    /// Maximum number of dead letters per second [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Count the dead letters that would be moved, and move none
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no such stack or handler, or AWS does not answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let queues = args.letters.queues().await?;
    let filter = args.letters.filter();
    let how = Replay { filter, rate: args.rate, dry_run: args.dry_run };
    let done = replay(&queues, &how).await?;
    let verb = if args.dry_run { "would be moved" } else { "moved" };
    println!("{} dead letters {verb}, {} left in place", done.moved, done.left);
    if done.unfinished {
        println!(
            "there may be more: letters that were left became visible again first; narrow it with \
             --event or --tenant"
        );
    }
    Ok(())
}
