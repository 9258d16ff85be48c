//! Checks that each handler takes the payload type of the events that it gets.
//!
//! A handler with another type fails at every event. The compiler does not see this, because only
//! the descriptor connects the two. So the type is read from the handler's source: from the first
//! parameter of the function that is given to `run` or `run_with`. What cannot be told from one file
//! without compiling it, such as a type of the app's own, is not judged.

use std::collections::HashMap;

use atlassian_connect::event::{EventName, Product, TABLE};
use atlassian_forge::event::payload_type;
use signed_webhooks::{Declared, Events};
use syn::visit::{self, Visit};
use syn::{
    Expr, FnArg, GenericArgument, Item, ItemFn, Pat, PathArguments, Type, TypePath, UseTree,
};

/// The payload type of a delivery, as far as the source says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Takes {
    /// `Delivery`: the text.
    Text,
    /// `Delivery<Event>`: every event.
    Any,
    /// `Delivery<LifecycleEvent>`.
    Lifecycle,
    /// `Delivery<jira::Event>`, or `Delivery<jira::IssueEvent>`: a module and a type in it.
    Of(String, String),
    /// `Delivery<forge::jira::IssueEvent>`: a type of Forge's.
    Forge(String),
}

/// The type of Forge's that takes every event.
const OTHER_EVENT: &str = "OtherEvent";

/// The type that the handler with this source takes. `None` if the source does not say.
pub(super) fn taken(source: &str) -> Option<Takes> {
    let file = syn::parse_file(source).ok()?;
    let names = Names::of(&file.items);
    let mut runs = Runs(Vec::new());
    runs.visit_file(&file);
    // With several, a condition decides, which is not read here.
    let [Some(handler)] = &runs.0[..] else { return None };
    match handler {
        Expr::Path(path) => {
            let name = path.path.get_ident()?;
            let function = file.items.iter().find_map(|item| match item {
                Item::Fn(function) if function.sig.ident == *name => Some(function),
                _ => None,
            })?;
            names.takes(first_parameter(function)?)
        }
        Expr::Closure(closure) => match closure.inputs.first()? {
            Pat::Type(parameter) => names.takes(&parameter.ty),
            _ => None,
        },
        _ => None,
    }
}

/// What is wrong with taking this type for an event of a webhook, and what to do. `None` if it can
/// be taken from a product that sends the event.
pub(super) fn mismatch(takes: &Takes, event: &EventName, exclude_body: bool) -> Option<String> {
    let lines: Vec<_> = TABLE.iter().filter(|line| line.event == *event).collect();
    let is_taken = match takes {
        Takes::Text => return None,
        Takes::Any => true,
        Takes::Lifecycle => false,
        Takes::Forge(name) => name == OTHER_EVENT,
        Takes::Of(module, name) if name == "Event" => {
            lines.is_empty() || lines.iter().any(|line| line.product.as_str() == module)
        }
        Takes::Of(module, name) => {
            lines.iter().any(|line| line.product.as_str() == module && line.payload == name)
        }
    };
    if is_taken {
        return exclude_body.then(|| {
            format!(
                "it takes Delivery<{takes}>, and {event} has excludeBody, so it has no body to read; \
                 take Delivery, or remove excludeBody"
            )
        });
    }
    let right: Vec<String> = lines
        .iter()
        .map(|line| format!("Delivery<{}::{}> for {}", line.product, line.payload, line.product))
        .collect();
    let advice = match &right[..] {
        [] => "no payload type is known; take Delivery".to_owned(),
        [_] => {
            let line = lines[0];
            format!("take Delivery<{}::{}>, or Delivery<Event>", line.product, line.payload)
        }
        several => format!("take {}, or Delivery<Event>", several.join(", ")),
    };
    Some(format!("it takes Delivery<{takes}>, and would fail at every {event}; {advice}"))
}

/// What is wrong with taking this type for an event of Forge, and what to do.
pub(super) fn forge_mismatch(takes: &Takes, event: &str) -> Option<String> {
    let right = payload_type(event);
    let is_taken = match takes {
        Takes::Text | Takes::Any => true,
        // Those of Connect take what they do not know.
        Takes::Of(_, name) => name == "Event",
        Takes::Lifecycle => false,
        Takes::Forge(name) => name == OTHER_EVENT || Some(&**name) == right,
    };
    let advice = match right.filter(|right| *right != OTHER_EVENT) {
        Some(right) => format!(
            "take Delivery<forge::{right}>; for events of several types or senders, take Delivery, or a \
             type of atlassian_hooks::change such as IssueChange"
        ),
        None => format!("it has no payload type; take Delivery<forge::{OTHER_EVENT}>"),
    };
    (!is_taken)
        .then(|| format!("it takes Delivery<{takes}>, and would fail at every {event}; {advice}"))
}

/// What is wrong with taking this type for the events of signed webhooks, and what to do.
pub(super) fn signed_mismatch(takes: &Takes, declared: &Declared) -> Option<String> {
    match (takes, &declared.events, declared.kind.product()) {
        (Takes::Text, ..) => None,
        (_, _, Product::Bitbucket) => Some(format!(
            "it takes Delivery<{takes}>, and events of Bitbucket have no payload types; take Delivery"
        )),
        (_, Events::Only(events), _) => {
            events.iter().find_map(|event| mismatch(takes, event, false))
        }
        (Takes::Any, Events::All, _) => None,
        (Takes::Of(module, name), Events::All, product)
            if name == "Event" && module == product.as_str() =>
        {
            None
        }
        (_, Events::All, product) => Some(format!(
            "it takes Delivery<{takes}>, and all events of {product} are sent to it; take \
             Delivery<{product}::Event>, or name the events"
        )),
    }
}

/// What is wrong with taking this type for lifecycle callbacks, and what to do.
pub(super) fn lifecycle_mismatch(takes: &Takes) -> Option<String> {
    matches!(takes, Takes::Of(..) | Takes::Forge(_)).then(|| {
        format!(
            "it takes Delivery<{takes}>, and would fail at every lifecycle callback; take \
             Delivery<LifecycleEvent>, or Delivery<Event>"
        )
    })
}

impl std::fmt::Display for Takes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text => f.write_str("()"),
            Self::Any => f.write_str("Event"),
            Self::Lifecycle => f.write_str("LifecycleEvent"),
            Self::Of(module, name) => write!(f, "{module}::{name}"),
            Self::Forge(name) => write!(f, "forge::{name}"),
        }
    }
}

/// The handlers that are given to `run` and `run_with`. `None` for a call of `run` without one.
struct Runs<'a>(Vec<Option<&'a Expr>>);

impl<'a> Visit<'a> for Runs<'a> {
    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && function.path.segments.last().is_some_and(|name| name.ident == "run")
        {
            self.0.push(call.args.last());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if call.method == "run" || call.method == "run_with" {
            self.0.push(call.args.last());
        }
        visit::visit_expr_method_call(self, call);
    }
}

fn first_parameter(function: &ItemFn) -> Option<&Type> {
    match function.sig.inputs.first()? {
        FnArg::Typed(parameter) => Some(&parameter.ty),
        FnArg::Receiver(_) => None,
    }
}

/// The crates that have the payload types.
const CRATES: [&str; 2] = ["atlassian_hooks", "atlassian_connect"];

/// The names that a file's items give to paths and types.
struct Names<'a> {
    uses: HashMap<String, Vec<String>>,
    aliases: HashMap<String, &'a Type>,
}

impl<'a> Names<'a> {
    fn of(items: &'a [Item]) -> Self {
        let mut names = Self { uses: HashMap::new(), aliases: HashMap::new() };
        for item in items {
            match item {
                Item::Use(used) => names.add(&used.tree, &[]),
                Item::Type(alias) if alias.generics.params.is_empty() => {
                    names.aliases.insert(alias.ident.to_string(), &alias.ty);
                }
                _ => {}
            }
        }
        names
    }

    fn add(&mut self, tree: &UseTree, above: &[String]) {
        let below = |name: String| [above, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.add(&path.tree, &below(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add(tree, above)),
            UseTree::Name(name) if name.ident == "self" => {
                let last = above.last().cloned().unwrap_or_default();
                self.uses.insert(last, above.to_vec());
            }
            UseTree::Name(name) => {
                self.uses.insert(name.ident.to_string(), below(name.ident.to_string()));
            }
            UseTree::Rename(renamed) => {
                self.uses.insert(renamed.rename.to_string(), below(renamed.ident.to_string()));
            }
            UseTree::Glob(_) => {}
        }
    }

    /// The payload type of a parameter that is a delivery.
    fn takes(&self, parameter: &Type) -> Option<Takes> {
        let (path, arguments) = self.resolve(parameter)?;
        if path.last()? != "Delivery" {
            return None;
        }
        let PathArguments::AngleBracketed(arguments) = arguments else { return Some(Takes::Text) };
        let Some(GenericArgument::Type(payload)) = arguments.args.first() else { return None };
        if matches!(payload, Type::Tuple(tuple) if tuple.elems.is_empty()) {
            return Some(Takes::Text);
        }
        let (path, _) = self.resolve(payload)?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match path[..] {
            [.., "forge", "jira" | "confluence", name] => {
                Takes::Forge(format!("{}::{name}", path[path.len() - 2]))
            }
            [.., "forge", name] => Takes::Forge(name.to_owned()),
            [.., "jira" | "confluence", name] => {
                Takes::Of(path[path.len() - 2].to_owned(), name.to_owned())
            }
            [.., "Event"] => Takes::Any,
            [.., "LifecycleEvent"] => Takes::Lifecycle,
            _ => return None,
        })
    }

    /// The whole path of a type of the framework, and its type parameters.
    fn resolve<'t>(&self, of: &'t Type) -> Option<(Vec<String>, &'t PathArguments)>
    where
        'a: 't,
    {
        let mut of = of;
        // An alias can name another one, and none can name itself.
        for _ in 0..=self.aliases.len() {
            let Type::Path(TypePath { qself: None, path }) = of else { return None };
            if let Some(ident) = path.get_ident()
                && let Some(alias) = self.aliases.get(&ident.to_string())
            {
                of = alias;
                continue;
            }
            let mut segments: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            if let Some(used) = self.uses.get(&segments[0]) {
                segments.splice(..1, used.iter().cloned());
            }
            let is_known = CRATES.contains(&segments[0].as_str());
            return is_known.then_some((segments, &path.segments.last()?.arguments));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(uses: &str, parameter: &str) -> String {
        format!(
            "{uses}\nasync fn handle(delivery: {parameter}) -> Result<(), Error> {{ Ok(()) }}\n\
             fn main() -> std::process::ExitCode {{ atlassian_hooks::run(handle) }}"
        )
    }

    #[test]
    fn reads_the_type_that_a_handler_takes() {
        let of = |module: &str, name: &str| Some(Takes::Of(module.into(), name.into()));
        let issue = of("jira", "IssueEvent");
        let rows = [
            ("use atlassian_hooks::{Delivery, Error, jira};", "Delivery<jira::IssueEvent>", &issue),
            ("", "atlassian_hooks::Delivery<atlassian_hooks::jira::IssueEvent>", &issue),
            (
                "use atlassian_hooks::{self as hooks, jira::{self as j, IssueEvent as E}};",
                "hooks::Delivery<E>",
                &issue,
            ),
            (
                "use atlassian_hooks::{Delivery, jira::{self, IssueEvent}}; type D = Delivery<P>; \
                 type P = IssueEvent;",
                "D",
                &issue,
            ),
            ("use atlassian_hooks::Delivery;", "Delivery", &Some(Takes::Text)),
            ("use atlassian_hooks::Delivery;", "Delivery<()>", &Some(Takes::Text)),
            ("use atlassian_hooks::{Delivery, Event};", "Delivery<Event>", &Some(Takes::Any)),
            (
                "use atlassian_hooks::{Delivery, confluence::Event};",
                "Delivery<Event>",
                &of("confluence", "Event"),
            ),
            (
                "use atlassian_hooks::{Delivery, LifecycleEvent};",
                "Delivery<LifecycleEvent>",
                &Some(Takes::Lifecycle),
            ),
            (
                "use atlassian_hooks::{Delivery, forge};",
                "Delivery<forge::jira::IssueEvent>",
                &Some(Takes::Forge("jira::IssueEvent".into())),
            ),
            (
                "use atlassian_hooks::{Delivery, forge::{LifecycleEvent, jira}};",
                "Delivery<LifecycleEvent>",
                &Some(Takes::Forge("LifecycleEvent".into())),
            ),
            // Types that one file does not tell.
            ("use atlassian_hooks::Delivery; use crate::Event;", "Delivery<Event>", &None),
            ("use atlassian_hooks::Delivery; use mine::jira;", "Delivery<jira::IssueEvent>", &None),
            ("use atlassian_hooks::*;", "Delivery<jira::IssueEvent>", &None),
            ("type A = B; type B = A;", "A", &None),
            ("use atlassian_hooks::Delivery;", "&Delivery", &None),
        ];
        for (uses, parameter, expected) in rows {
            assert_eq!(taken(&handler(uses, parameter)), *expected, "{uses} {parameter}");
        }
    }

    #[test]
    fn finds_the_handler_that_is_run() {
        let uses = "use atlassian_hooks::{Delivery, Runner, jira};\n\
                    async fn other(_: Delivery) {}\n\
                    async fn state() {}\n\
                    async fn handle(_: Delivery<jira::SprintEvent>, _: State) {}\n";
        let sprint = Some(Takes::Of("jira".into(), "SprintEvent".into()));
        for (main, expected) in [
            ("Runner::new().in_order().run(handle)", &sprint),
            ("Runner::new().run_with(state, handle)", &sprint),
            ("run(move |delivery: Delivery<jira::SprintEvent>| handle(delivery))", &sprint),
            ("run(other)", &Some(Takes::Text)),
            ("run(|delivery| handle(delivery))", &None),
            ("run(handlers::handle)", &None),
            ("if x { run(handle) } else { run(other) }", &None),
            ("atlassian_hooks::inspector::run()", &None),
            ("{ start() }", &None),
        ] {
            assert_eq!(taken(&format!("{uses}fn main() {{ {main} }}")), *expected, "{main}");
        }
        assert_eq!(taken("fn main( {"), None, "the compiler reports it");
    }

    #[test]
    fn finds_each_event_that_the_type_does_not_fit() {
        let of = |module: &str, name: &str| Takes::Of(module.into(), name.into());
        let taken = [
            (Takes::Text, "jira:issue_teleported"),
            (Takes::Any, "jira:issue_teleported"),
            (of("jira", "Event"), "jira:issue_teleported"),
            (of("jira", "Event"), "comment_created"),
            (of("jira", "IssueEvent"), "jira:issue_updated"),
            (of("jira", "CommentEvent"), "comment_created"),
            (of("confluence", "CommentEvent"), "comment_created"),
        ];
        for (takes, event) in taken {
            assert_eq!(mismatch(&takes, &event.into(), false), None, "{takes} {event}");
        }
        let wrong = [
            (of("jira", "SprintEvent"), "jira:issue_created", "Delivery<jira::IssueEvent>"),
            (of("confluence", "Event"), "jira:issue_created", "Delivery<jira::IssueEvent>"),
            (of("confluence", "CommentEvent"), "comment_deleted", "Delivery<jira::CommentEvent>"),
            (of("jira", "IssueEvent"), "jira:issue_teleported", "take Delivery"),
            (Takes::Lifecycle, "page_created", "Delivery<confluence::PageEvent>"),
            (
                of("jira", "IssueEvent"),
                "comment_created",
                "Delivery<jira::CommentEvent> for jira, Delivery<confluence::CommentEvent> for \
                 confluence",
            ),
        ];
        for (takes, event, advice) in wrong {
            let found = mismatch(&takes, &event.into(), false).unwrap();
            assert!(found.contains(&format!("Delivery<{takes}>")), "{found}");
            assert!(found.contains(event) && found.contains(advice), "{found}");
        }
        let empty = mismatch(&of("jira", "IssueEvent"), &"jira:issue_created".into(), true);
        assert!(empty.unwrap().contains("excludeBody"));
        assert_eq!(mismatch(&Takes::Text, &"jira:issue_created".into(), true), None);
    }

    #[test]
    fn finds_each_event_of_forge_that_the_type_does_not_fit() {
        let forge = |name: &str| Takes::Forge(name.into());
        let issue = || Takes::Of("jira".into(), "IssueEvent".into());
        let rows = [
            (Takes::Text, "avi:jira:created:issue", None),
            (forge("jira::IssueEvent"), "avi:jira:created:issue", None),
            (forge("PreUninstallEvent"), "preUninstall", None),
            (forge("OtherEvent"), "avi:jira:created:issue", None),
            (forge("OtherEvent"), "avi:unknown:event", None),
            (issue(), "avi:jira:created:issue", Some("take Delivery<forge::jira::IssueEvent>")),
            (
                forge("jira::IssueEvent"),
                "avi:jira:commented:issue",
                Some("take Delivery<forge::jira::CommentEvent>"),
            ),
            (forge("jira::IssueEvent"), "avi:unknown:event", Some("forge::OtherEvent")),
            (Takes::Lifecycle, "avi:forge:installed:app", Some("forge::LifecycleEvent")),
        ];
        for (takes, event, words) in rows {
            let found = forge_mismatch(&takes, event);
            let is_right = match (&found, words) {
                (None, None) => true,
                (Some(advice), Some(words)) => advice.contains(words) && advice.contains(event),
                _ => false,
            };
            assert!(is_right, "{takes} {event}: {found:?}");
        }
        let connect = mismatch(&forge("jira::IssueEvent"), &"jira:issue_created".into(), false);
        assert!(connect.unwrap().contains("take Delivery<jira::IssueEvent>"));
    }
}
