//! cargo-lambda deploys a function as the template does: what it reads in a manifest, under
//! `package.metadata.lambda.deploy`, is what the template says.

use sam_template::resource_type::FUNCTION;
use serde_json::Value;

use super::Document;
use super::document::Job;
use crate::check::Finding;

/// Compares with what `cargo metadata` prints.
pub(super) fn check(template: &Document<'_>, metadata: &Value, findings: &mut Vec<Finding>) {
    for function in template.of_kind(FUNCTION) {
        let Some(binary) = function.binary() else { continue };
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let mut packages = packages.filter(|package| {
            let targets = package["targets"].as_array().into_iter().flatten();
            let mut targets = targets.filter(|target| target["kind"][0] == "bin");
            targets.any(|target| target["name"] == binary)
        });
        // That a handler has a file is another check's business.
        let Some(package) = packages.next() else { continue };
        // What is said of one binary goes before what is said of the package.
        let lambda = &package["metadata"]["lambda"];
        let of = |key: &str| match &lambda["bin"][binary]["deploy"][key] {
            Value::Null => lambda["deploy"][key].clone(),
            own => own.clone(),
        };
        let tracing = function.property("Tracing").and_then(|tracing| template.plain(tracing));
        let tracing = tracing.and_then(|tracing| tracing.as_str().map(str::to_ascii_lowercase));
        let rows = [
            ("memory", Value::from(template.number(function.property("MemorySize")))),
            ("timeout", Value::from(template.number(function.property("Timeout")))),
            ("tracing", Value::from(tracing)),
        ];
        for (key, wanted) in rows {
            if of(key) != wanted {
                // Handlers share a manifest, and one of them can differ from the others.
                let table = if matches!(function.job(), Some(Job::Handler(_))) {
                    format!("package.metadata.lambda.bin.{binary}.deploy")
                } else {
                    "package.metadata.lambda.deploy".to_owned()
                };
                findings.push(Finding::error(
                    format!("{}: {table}", package["name"].as_str().unwrap_or_default()),
                    format!(
                        "{key} is {}, and {} of the template has {wanted}; make them the same",
                        of(key),
                        function.id,
                    ),
                ));
            }
        }
    }
}
