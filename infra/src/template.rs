//! From a plan to `template.yaml`.
//!
//! The template is written out in full, one block for each URL and each handler, so that it can be
//! read, searched and reviewed as what it is: what will be in the account. Its shape is in
//! `template.yaml.j2`; only names and values come from here.

use connect::descriptor::Descriptor;
use gateway::BaseUrl;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use receiver::{Declared, Queue};
use tenants::Table;
use tenants::install_keys::InstallKeys;
use tenants::lifecycle::App;

use crate::plan::Plan;

/// How long a handler may take for a batch, in seconds.
pub const HANDLER_TIMEOUT: u32 = 30;

/// Writes the template of a descriptor.
///
/// # Errors
///
/// minijinja's, which can only be a mistake in the template's own text.
pub fn render(descriptor: &Descriptor) -> Result<String, minijinja::Error> {
    let plan = Plan::of(descriptor);
    let mut jinja = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    jinja.set_syntax(syntax.build()?);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    // Nothing here is HTML.
    jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    jinja.add_filter("quoted", |text: String| quoted(&text));
    jinja.add_template("template.yaml", include_str!("template.yaml.j2"))?;
    jinja.get_template("template.yaml")?.render(context! {
        names => context! {
            app_key => App::KEY,
            base_url => BaseUrl::VARIABLE,
            install_keys => InstallKeys::VARIABLE,
            lifecycle => App::LIFECYCLE,
            queue => Queue::VARIABLE,
            table => Table::VARIABLE,
            tenant_hosts => App::TENANT_HOSTS,
            webhooks => Declared::VARIABLE,
        },
        table => context! {
            key => Table::KEY,
            expires_at => Table::EXPIRES_AT,
            found => Table::FOUND,
        },
        install_keys_url => InstallKeys::ATLASSIAN,
        descriptor_path => Descriptor::PATH,
        handler_timeout => HANDLER_TIMEOUT,
        ..Value::from(Serde(&plan))
    })
}

/// A YAML scalar that is nothing but this text: single-quoted, or, if it holds what YAML does not
/// print, double-quoted with JSON's escapes.
fn quoted(text: &str) -> String {
    let printable = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{2028}'..='\u{2029}' | '\u{FEFF}' | '\u{FFFE}'..='\u{FFFF}')
    };
    if text.chars().all(printable) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let json = serde_json::Value::from(text).to_string();
    json.chars().fold(String::new(), |mut escaped, c| {
        match u16::try_from(u32::from(c)) {
            Ok(code) if !c.is_ascii() || c == '\u{7f}' => escaped += &format!("\\u{code:04x}"),
            _ => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_whatever_a_descriptor_holds() {
        for text in [
            "",
            "plain",
            "it's",
            "a: b # c",
            "{\"a\":\"'\"}",
            "tab\there\u{85}",
            "é\u{FFFE}😀",
            "\\u0041",
        ] {
            let yaml = format!("a: {}\n", quoted(text));
            let read: std::collections::BTreeMap<String, String> =
                serde_saphyr::from_str(&yaml).unwrap();
            assert_eq!(read["a"], text, "{yaml}");
        }
    }
}
