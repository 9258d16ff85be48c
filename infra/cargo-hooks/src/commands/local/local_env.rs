//! `infra/local.env`: values of parameters and variables for the local stack alone.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use sam_template::parse;
use template::check::shown;
use template::configuration::Configuration;

use crate::app::App;

/// The path of the file in an app. It need not be there, and git ignores it.
const PATH: &str = "infra/local.env";

/// What the file gives.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Given {
    /// Values of the template's parameters.
    pub(super) parameters: BTreeMap<String, String>,
    /// Values of the variables that the configuration declares.
    pub(super) variables: BTreeMap<String, String>,
}

/// Reads the file of an app.
pub(super) fn read(app: &App, configuration: &Configuration) -> anyhow::Result<Given> {
    let path = app.root().join(PATH);
    if !path.exists() {
        return Ok(Given::default());
    }
    let template = std::fs::read_to_string(app.template_path()).unwrap_or_default();
    given(&path, &template, configuration)
}

fn given(path: &Path, template: &str, configuration: &Configuration) -> anyhow::Result<Given> {
    let file = shown(path);
    // A template that cannot be read is refused when the stack starts.
    let template = parse(template).unwrap_or_default();
    let lines = dotenvy::from_path_iter(path)
        .with_context(|| format!("{file} cannot be read; check its permissions"))?;
    let mut given = Given::default();
    for line in lines {
        // The error of the library has the line, and with it what may be a secret.
        let Ok((name, value)) = line else {
            bail!("{file} has a line that is not NAME=VALUE; quote a value that has spaces");
        };
        let declares = |name: &str| {
            let mut handlers = configuration.handlers.values();
            handlers.any(|handler| handler.environment.contains_key(name))
        };
        if template["Parameters"].get(&name).is_some() {
            given.parameters.insert(name, value);
        } else if declares(&name) {
            given.variables.insert(name, value);
        } else {
            bail!(
                "{file} has {name}, which is neither a parameter of the template nor a variable that \
                 a handler declares; correct the name, or declare it in infra/atlassian-hooks.yaml"
            );
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "Parameters: { Hook: { Type: String } }";
    const CONFIGURATION: &str = "handlers: { a: { environment: { TOKEN: !Ref Secret } } }";

    fn of(text: &str) -> anyhow::Result<Given> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        given(file.path(), TEMPLATE, &Configuration::parse(CONFIGURATION).unwrap())
    }

    #[test]
    fn tells_parameters_from_variables() {
        let given = of("# local\nHook=https://a.test\nexport TOKEN='s3cret $x'\n").unwrap();
        assert_eq!(given.parameters, BTreeMap::from([("Hook".into(), "https://a.test".into())]));
        assert_eq!(given.variables, BTreeMap::from([("TOKEN".into(), "s3cret $x".into())]));
    }

    #[test]
    fn says_what_is_wrong_without_a_value() {
        for (text, words) in
            [("OTHER=s3cret", "has OTHER, which"), ("s3cret and more", "NAME=VALUE")]
        {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("s3cret"), "{error}");
        }
    }
}
