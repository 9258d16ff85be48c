//! `cargo hooks`: reads the command line, and runs one command.

use std::process::ExitCode;

use cargo_hooks::commands::{
    add, check, completions, cost, dead, doctor, events, forge, inspect, local, logs, new, plan,
    recover, replay, schema, send, template, tenants,
};
use cargo_hooks::terminal::escaped;
use clap::{CommandFactory as _, Parser, Subcommand};

/// Atlassian Connect webhooks on AWS Lambda: create an app, run it locally, deploy and operate it.
#[derive(Parser)]
#[command(
    name = "cargo hooks",
    bin_name = "cargo hooks",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
        cargo hooks new my-app --key com.example.my-app\n  \
        cargo hooks local\n  \
        cargo hooks add jira:issue_updated\n\n\
        `cargo hooks COMMAND --help` explains a command."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    New(new::Args),
    Add(add::Args),
    Local(local::Args),
    Inspect(inspect::Args),
    Send(send::Args),
    Template(template::Args),
    Check(check::Args),
    Plan(plan::Args),
    Cost(cost::Args),
    Events(events::Args),
    Forge(forge::Args),
    Dead(dead::Args),
    Replay(replay::Args),
    Recover(recover::Args),
    Tenants(tenants::Args),
    Logs(logs::Args),
    Doctor(doctor::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    if let Some(ended) = inspect::function() {
        return ended;
    }
    // As a subcommand of cargo, this is run with its own name first.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|first| first == "hooks") {
        arguments.remove(1);
    }
    let outcome = match Cli::parse_from(arguments).command {
        Command::New(args) => new::run(&args),
        Command::Add(args) => add::run(&args),
        Command::Local(args) => wait_for(local::run(args)),
        Command::Inspect(args) => wait_for(inspect::run(args)),
        Command::Send(args) => wait_for(send::run(args)),
        Command::Template(args) => template::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Cost(args) => cost::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Forge(args) => forge::run(&args),
        Command::Dead(args) => wait_for(dead::run(args)),
        Command::Replay(args) => wait_for(replay::run(args)),
        Command::Recover(args) => wait_for(recover::run(args)),
        Command::Tenants(args) => wait_for(tenants::run(args)),
        Command::Logs(args) => wait_for(logs::run(args)),
        Command::Doctor(args) => wait_for(doctor::run(args)),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, Cli::command()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Some errors have several lines. What others wrote is escaped where it becomes an error.
            let error = format!("error: {error:#}");
            error.lines().for_each(|line| eprintln!("{}", escaped(line)));
            ExitCode::FAILURE
        }
    }
}

fn wait_for(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clap says only when a command is run.
    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
