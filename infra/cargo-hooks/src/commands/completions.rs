//! `cargo hooks completions`

use std::io::Write as _;

use clap::Command;
use clap_complete::{Shell, generate};

/// Print a completion script for a shell
///
/// The script completes the command `cargo-hooks`, which is the same as `cargo hooks`. After `cargo`,
/// cargo's own completions decide: those of zsh hand over to this script, those of bash and other
/// shells do not.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks completions bash > ~/.local/share/bash-completion/completions/cargo-hooks\n  \
        cargo hooks completions zsh > ~/.zfunc/_cargo-hooks      # ~/.zfunc in fpath, before compinit\n  \
        cargo hooks completions fish > ~/.config/fish/completions/cargo-hooks.fish\n  \
        cargo hooks completions elvish > ~/.config/elvish/lib/cargo-hooks.elv    # then `use cargo-hooks`\n  \
        cargo hooks completions powershell >> $PROFILE\n\n\
        Create the folder first, and start a new shell afterwards.")]
pub struct Args {
    /// Shell that the script is for
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs it.
///
/// # Errors
///
/// Never fails.
pub fn run(args: &Args, command: Command) -> anyhow::Result<()> {
    // The script of zsh is made with this name, and would not be read with a space in it.
    const NAME: &str = "cargo-hooks";
    let mut script = Vec::new();
    generate(args.shell, &mut command.name(NAME), NAME, &mut script);
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(&script);
    Ok(())
}
