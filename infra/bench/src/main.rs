//! Measures this project's functions beside a floor and beside other implementations, in one run on one
//! machine.
//!
//! Needs Linux, whose `/proc` says what a process has used. Instructions are counted if valgrind is
//! installed, and Node's peers take part if Node and npm are.

mod environment;
mod figures;
mod local_queues;
mod measure;
mod peers;
mod programs;
mod services;
mod share;
mod suite;
mod webhook;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use jiff::Zoned;

use figures::{COMMAND, Figures, moved, replaced};
use peers::Peers;
use programs::{build, first_line_of};
use suite::{CHECKED_PROGRAMS, FURTHER_PROGRAMS, Suite};

/// Measures this project's functions beside a floor and beside other implementations.
#[derive(Parser)]
struct Arguments {
    /// Compare what does not depend on the machine with the committed figures, and measure nothing else.
    #[arg(long)]
    check: bool,
    /// Measure only what does not depend on the machine. With `--update` the other figures stay.
    #[arg(long)]
    counted: bool,
    /// Write the figures into the repository: `infra/bench/figures.json`, and the tables made of it.
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut names = CHECKED_PROGRAMS.to_vec();
    let counted = arguments.check || arguments.counted;
    if !counted {
        names.extend(FURTHER_PROGRAMS);
    }
    let programs = build(&names)?;
    let release = programs.values().next().and_then(|program| program.parent());
    let folder = release.context("cargo has built nothing")?.with_file_name("bench");
    std::fs::create_dir_all(&folder)?;

    let valgrind = first_line_of("valgrind", "--version");
    if valgrind.is_none() {
        eprintln!("Instructions are not counted: valgrind is not installed.");
    }
    let peers = if counted { None } else { Peers::install(&folder)? };
    if !counted && peers.is_none() {
        eprintln!("Node's peers are not measured: Node or npm is not installed.");
    }
    let machine = machine(valgrind.as_deref(), peers.as_ref());
    let suite = Suite::start(&folder, programs, valgrind.is_some(), peers).await?;
    let mut figures =
        Figures { date: Zoned::now().date().to_string(), machine, ..Figures::default() };
    figures.functions = suite.checked().await?;
    if arguments.check {
        return check(&figures);
    }
    if !counted {
        figures.functions.extend(suite.timed().await?);
        figures.growth = suite.growth().await?;
    } else if arguments.update
        && let Ok(before) = std::fs::read_to_string(committed())
    {
        figures = figures.with_others_of(serde_json::from_str(&before)?);
    }

    let json = format!("{:#}\n", serde_json::to_value(&figures)?);
    if arguments.json {
        print!("{json}");
    } else {
        println!("{}", figures.tables());
    }
    if arguments.update {
        std::fs::write(committed(), json)?;
        for file in ["infra/bench/README.md", "README.md"] {
            let path = root().join(file);
            let text = std::fs::read_to_string(&path)?;
            let tables = if file == "README.md" { figures.summary() } else { figures.tables() };
            let new = replaced(&text, &format!("{}\n\n{tables}", figures.provenance()));
            std::fs::write(&path, new.with_context(|| format!("{file} cannot be updated"))?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Says which of the figures is not what was committed.
fn check(measured: &Figures) -> anyhow::Result<ExitCode> {
    println!("{}", measured.tables());
    let path = committed();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{} cannot be read; `{COMMAND} --update` writes it", path.display())
    })?;
    let committed: Figures = serde_json::from_str(&text)?;
    let moved = moved(&committed, measured);
    for moved in &moved {
        println!("{} {}", if moved.is_worse { "worse: " } else { "better:" }, moved.sentence);
    }
    if moved.iter().any(|moved| moved.is_worse) {
        println!(
            "Find what became dearer. If it is worth it, run `{COMMAND} --update` on an idle machine, and \
             commit what it writes."
        );
        return Ok(ExitCode::FAILURE);
    }
    if moved.is_empty() {
        println!("{} figures are what was committed", measured.functions.len());
    } else {
        println!("Run `{COMMAND} --update` on an idle machine, and commit what it writes.");
    }
    Ok(ExitCode::SUCCESS)
}

/// The processor, the system and the versions of what takes part.
fn machine(valgrind: Option<&str>, peers: Option<&Peers>) -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut parts = vec![format!("{cores} cores of {}", std::env::consts::ARCH)];
    parts.extend(model.map(|(_, model)| model.to_owned()));
    parts.extend(first_line_of("rustc", "--version"));
    parts.extend(valgrind.map(str::to_owned));
    parts.extend(peers.map(|peers| format!("Node {}", peers.node)));
    parts.join(", ")
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("figures.json")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
