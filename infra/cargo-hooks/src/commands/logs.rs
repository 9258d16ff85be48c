//! `cargo hooks logs`

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Context as _;
use inspector::{Journey, Outcome};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::account::StackArgs;
use crate::deliveries::{Deliveries, Filter, Row, Status, write_heads, write_json, write_row};
use crate::logs::Log;
use crate::session::{RESTART, Session, follow};

/// Show the deliveries of a stack, one row each
///
/// A row says when a request was received, for which event and tenant, whether it was queued, and what
/// its handler made of it. The functions log this in JSON; no line contains a token, a secret or a body.
/// With LogLevel WARN there is no line for a delivery that was handled.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks logs --follow               # of the local stack\n  \
        cargo hooks logs --stack my-app --since 1h\n  \
        cargo hooks logs --stack my-app --follow --event jira:issue_created\n  \
        cargo hooks logs --stack my-app --since 2d --json | jq 'select(.reason)'\n\n\
        AWS permissions: cloudformation:DescribeStackResource, logs:FilterLogEvents")]
pub struct Args {
    #[command(flatten)]
    stack: StackArgs,
    /// Stay, and print each delivery when it is handled, each failed attempt, and each refused request
    #[arg(long, short)]
    follow: bool,
    /// Only deliveries of this tenant; no refused request, which has none
    #[arg(long, value_name = "CLIENT_KEY")]
    tenant: Option<String>,
    /// Only deliveries of this event, as in jira:issue_created; no refused request, which has none
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Only the delivery with this id: `delivery` of a row with --json, or delivery.id of a log line
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// How far back to look, as in 30m, 1h or 2d; what began before is shown in part
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = since)]
    since: SignedDuration,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs it.
///
/// # Errors
///
/// Fails if there is no such stack, or AWS does not answer.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let filter = Filter {
        tenant: args.tenant.clone(),
        event: args.event.clone(),
        delivery: args.delivery.clone(),
    };
    let Some(stack) = &args.stack.stack else {
        return match print_local(&args, &filter, &mut anstream::stdout()).await {
            Err(error) if is_closed(&error) => Ok(()),
            outcome => outcome,
        };
    };
    let config = args.stack.account.config().await;
    let start = Timestamp::now() - args.since;
    let mut log = Log::of(&config, stack, start).await?;
    // A reader that has seen enough, such as `head`, closes the pipe.
    match print(&args, &filter, &mut log, &mut anstream::stdout()).await {
        Err(error) if is_closed(&error) => Ok(()),
        outcome => outcome,
    }
}

async fn print(
    args: &Args,
    filter: &Filter,
    log: &mut Log<'_>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let show = |row: &Row, out: &mut dyn Write| {
        let out = &mut &mut *out;
        if args.json { write_json(row, out) } else { write_row(row, out) }
    };
    if args.follow {
        let mut deliveries = Deliveries::keeping(FOLLOWED);
        if !args.json {
            write_heads(out)?;
        }
        loop {
            log.read(|line| {
                if let Some(row) = deliveries.take(line)
                    && (row.result.is_some() || row.status != Status::Queued)
                    && filter.takes(row)
                {
                    show(row, out)?;
                }
                Ok(())
            })
            .await?;
            out.flush()?;
            tokio::time::sleep(PAUSE).await;
        }
    }
    let mut deliveries = Deliveries::keeping(usize::MAX);
    log.read(|line| {
        deliveries.take(line);
        Ok(())
    })
    .await?;
    let mut rows: Vec<&Row> = deliveries.rows().filter(|row| filter.takes(row)).collect();
    rows.sort_by_key(|row| row.time);
    if !args.json {
        match rows[..] {
            [] => writeln!(out, "no deliveries; look further back with --since")?,
            _ => write_heads(out)?,
        }
    }
    rows.iter().try_for_each(|row| show(row, out))?;
    Ok(out.flush()?)
}

/// Prints the deliveries that a local stack remembers, and then those that follow.
async fn print_local(args: &Args, filter: &Filter, out: &mut impl Write) -> anyhow::Result<()> {
    let session = Session::read(args.stack.port)?;
    let client = atlassian_simulator::client()?;
    let start = Timestamp::now() - args.since;
    if !args.json {
        write_heads(out)?;
    }
    let mut show = |journey: &Journey| {
        let row = Row::of(journey).filter(|row| row.time >= start && filter.takes(row));
        match row {
            Some(row) if args.json => write_json(&row, out),
            Some(row) => write_row(&row, out),
            None => Ok(()),
        }
    };
    if args.follow {
        // A row when a delivery is at its end, or an attempt has failed.
        return follow(&client, &session, None, |journey| {
            let is_news = journey.outcome != Outcome::Queued;
            if is_news {
                show(journey)?;
            }
            Ok(ControlFlow::Continue(()))
        })
        .await;
    }
    let url = format!("{}/api/journeys", session.page);
    let response = client.get(&url).send().await;
    let response = response.with_context(|| format!("{url} does not answer; {RESTART}"))?;
    let journeys: Vec<Journey> = serde_json::from_slice(&response.bytes().await?)?;
    for journey in &journeys {
        show(journey)?;
    }
    Ok(out.flush()?)
}

/// How many deliveries are remembered while following.
const FOLLOWED: usize = 10_000;

/// The time between two looks at the log. An account has five such requests a second.
const PAUSE: Duration = Duration::from_secs(2);

fn since(text: &str) -> Result<SignedDuration, String> {
    let span = text.parse::<Span>().ok();
    let time = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    time.filter(|time| time.is_positive() && *time <= SignedDuration::from_hours(24 * 3653))
        .ok_or_else(|| "write a time such as 30m, 1h or 2d".into())
}

fn is_closed(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
