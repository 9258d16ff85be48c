//! `cargo hooks schema`

use std::io::Write as _;

use crate::schema;

/// Print the JSON Schema of infra/atlassian-connect.json or infra/atlassian-hooks.yaml
///
/// Editors complete and check the files by them. `cargo hooks new` writes both beside the files, and
/// .vscode/settings.json refers to the descriptor's, because Atlassian documents no member "$schema"
/// for a descriptor. Print them again after an update of the tool.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
        cargo hooks schema > infra/atlassian-connect.schema.json\n  \
        cargo hooks schema configuration > infra/atlassian-hooks.schema.json")]
pub struct Args {
    /// The file whose schema is printed
    #[arg(value_enum, default_value_t)]
    of: Of,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
enum Of {
    /// infra/atlassian-connect.json
    #[default]
    Descriptor,
    /// infra/atlassian-hooks.yaml
    Configuration,
}

/// Runs it.
///
/// # Errors
///
/// Never fails.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let text = match args.of {
        Of::Descriptor => schema::text(),
        Of::Configuration => schema::configuration_text(),
    };
    // A reader that has seen enough, such as `head`, closes the pipe.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(())
}
