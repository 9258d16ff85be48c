//! `cargo hooks replay`

use super::dead::Letters;
use crate::dead_letters::{Replay, replay};

/// Move dead letters back to their handlers' queues
///
/// A dead letter is deleted only when the queue has it, so a replay that is interrupted loses none.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks replay --stack my-app --dry-run\n  \
        cargo hooks replay --stack my-app --handler issue-created --rate 20\n\n\
        AWS: as `cargo hooks dead`, and sqs:GetQueueAttributes, sqs:SendMessage, sqs:DeleteMessage")]
pub struct Args {
    #[command(flatten)]
    letters: Letters,
    /// Most dead letters a second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Say how many would be moved, and move none
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
///
/// # Errors
///
/// When there is no such stack or handler, or AWS does not answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let queues = args.letters.queues().await?;
    let filter = args.letters.filter();
    let how = Replay { filter, rate: args.rate, dry_run: args.dry_run };
    let done = replay(&queues, &how).await?;
    let verb = if args.dry_run { "would be moved" } else { "moved" };
    println!("{} letters {verb}, {} left where they are", done.moved, done.left);
    if done.unfinished {
        println!("there are more, and what was left came back first: name --event or --tenant");
    }
    Ok(())
}
