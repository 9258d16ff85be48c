//! Checks that the functions that were built run on the architecture that they are deployed with.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sam_template::parse;
use serde::Deserialize;

use super::{Finding, shown};

/// The parameter of the template that is the architecture of all functions.
const ARCHITECTURE: &str = "Architecture";

/// An architecture of Lambda functions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Architecture {
    Arm64,
    X86_64,
}

impl Architecture {
    /// The architecture with a name of AWS's.
    fn named(name: &str) -> Option<Self> {
        match name {
            "arm64" => Some(Self::Arm64),
            "x86_64" => Some(Self::X86_64),
            _ => None,
        }
    }

    /// The architecture of a program, by the field `e_machine` of its ELF header.
    fn of(program: &Path) -> Option<Self> {
        let mut header = [0; 20];
        File::open(program).ok()?.read_exact(&mut header).ok()?;
        match header {
            [0x7f, b'E', b'L', b'F', .., 0xb7, 0] => Some(Self::Arm64),
            [0x7f, b'E', b'L', b'F', .., 0x3e, 0] => Some(Self::X86_64),
            _ => None,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        })
    }
}

/// What `samconfig.toml` has for `sam build`, `sam deploy`, and both.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SamConfig {
    default: Commands,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commands {
    global: Command,
    build: Command,
    deploy: Command,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Command {
    parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    parameter_overrides: Option<Overrides>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Overrides {
    /// `A=b C="d e"`.
    Line(String),
    /// `["A=b", "C=d e"]`.
    List(Vec<String>),
}

impl Command {
    fn architecture(&self) -> Option<Architecture> {
        let overrides = match self.parameters.parameter_overrides.as_ref()? {
            Overrides::Line(line) => line.split_whitespace().collect(),
            Overrides::List(list) => list.iter().map(String::as_str).collect::<Vec<_>>(),
        };
        overrides.iter().find_map(|assignment| {
            // The AWS CLI's form, which the SAM CLI takes too.
            let long = assignment.strip_prefix("ParameterKey=");
            let (name, value) = match long {
                Some(long) => long.split_once(",ParameterValue=")?,
                None => assignment.split_once('=')?,
            };
            (name == ARCHITECTURE).then(|| Architecture::named(value.trim_matches('"')))?
        })
    }
}

/// Checks the folder into which `sam build` builds, if it is there.
pub(super) fn check(folder: &Path, samconfig: &Path, template: &str) -> Vec<Finding> {
    let place = shown(samconfig);
    let text = std::fs::read_to_string(samconfig).unwrap_or_default();
    let config: SamConfig = match toml::from_str(&text) {
        Ok(config) => config,
        Err(error) => {
            let advice = format!("it is not what the SAM CLI reads: {}", error.message());
            return vec![Finding::error(place, advice)];
        }
    };
    let SamConfig { default: Commands { global, build, deploy } } = config;
    let template = parse(template).unwrap_or_default();
    let default = template["Parameters"][ARCHITECTURE]["Default"].as_str();
    let default = global.architecture().or_else(|| Architecture::named(default?));
    let (built_for, deployed_as) =
        (build.architecture().or(default), deploy.architecture().or(default));
    let (Some(built_for), Some(deployed_as)) = (built_for, deployed_as) else { return Vec::new() };
    if built_for != deployed_as {
        let advice = format!(
            "`sam build` builds for {built_for}, and `sam deploy` deploys as {deployed_as}; write \
             parameter_overrides with {ARCHITECTURE}={deployed_as} under [default.global.parameters] \
             alone"
        );
        return vec![Finding::error(place, advice)];
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut programs: Vec<_> =
        entries.flatten().map(|entry| entry.path().join("bootstrap")).collect();
    programs.sort();
    let wrong = programs.iter().filter_map(|program| {
        let architecture = Architecture::of(program)?;
        (architecture != deployed_as).then(|| {
            let advice = format!(
                "it is built for {architecture}, and would not start as {deployed_as}; run `sam \
                 build` again, or remove the folder"
            );
            Finding::error(shown(program), advice)
        })
    });
    wrong.collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const TEMPLATE: &str = "Parameters: { Architecture: { Type: String, Default: arm64 } }";

    /// What is found with a `samconfig.toml` and a program for a machine.
    fn found(samconfig: &str, machine: u8) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("samconfig.toml");
        fs::write(&config, samconfig).unwrap();
        let build = folder.path().join("build");
        let function = build.join("Receiver");
        fs::create_dir_all(&function).unwrap();
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(18, 0);
        elf.extend([machine, 0]);
        fs::write(function.join("bootstrap"), elf).unwrap();
        fs::write(build.join("template.yaml"), TEMPLATE).unwrap();
        check(&build, &config, TEMPLATE).into_iter().map(|finding| finding.advice).collect()
    }

    const ARM: u8 = 0xb7;
    const X86: u8 = 0x3e;

    #[test]
    fn finds_a_program_that_would_not_start() {
        let x86_64 = "[default.global.parameters]\nparameter_overrides = ['Architecture=x86_64']";
        let long = x86_64.replace("Architecture=", "ParameterKey=Architecture,ParameterValue=");
        assert_eq!(found("", ARM), Vec::<String>::new());
        assert_eq!(found(&long, X86), Vec::<String>::new());
        assert_eq!(found(x86_64, X86), Vec::<String>::new());
        for (samconfig, machine, words) in [
            ("", X86, "built for x86_64, and would not start as arm64"),
            (x86_64, ARM, "built for arm64, and would not start as x86_64"),
        ] {
            let [advice] = &found(samconfig, machine)[..] else { panic!("{samconfig}") };
            assert!(advice.contains(words), "{advice}");
        }
    }

    #[test]
    fn finds_an_architecture_that_only_one_command_reads() {
        let deployed = "[default.deploy.parameters]\n\
                        parameter_overrides = \"LogLevel=INFO Architecture=\\\"x86_64\\\"\"";
        let [advice] = &found(deployed, ARM)[..] else { panic!() };
        assert!(
            advice.contains("builds for arm64, and `sam deploy` deploys as x86_64"),
            "{advice}"
        );
        let [advice] = &found("default = 1", ARM)[..] else { panic!() };
        assert!(advice.contains("not what the SAM CLI reads"), "{advice}");
    }
}
