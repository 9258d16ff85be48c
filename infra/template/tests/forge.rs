//! The manifest of a Forge app: one that is right, and faults that must be found.

use std::path::Path;

use atlassian_hooks_template::check::{Finding, Severity};
use atlassian_hooks_template::forge;

const RIGHT: &str = "\
app:
  id: ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107
  runtime: { name: nodejs24.x }
permissions:
  scopes:
    - read:jira-work
remotes:
  - key: hooks
    baseUrl: https://hooks.example.com
    operations: [compute]
modules:
  endpoint:
    - key: issue-changed
      remote: hooks
      route: { path: /forge/issue-changed }
    - key: life
      remote: hooks
      route: { path: /forge/life }
    - key: panel
      remote: hooks
  trigger:
    - key: on-issue
      endpoint: issue-changed
      events:
        - avi:jira:created:issue
        - avi:jira:updated:issue
      filter: { ignoreSelf: true }
    - key: on-comment
      endpoint: issue-changed
      events:
        - eventType: avi:jira:commented:issue
          filter: { expression: event.issue.key != 'A-1' }
    - key: on-life
      endpoint: life
      events: [avi:forge:installed:app, avi:forge:upgraded:app]
  preUninstall:
    - key: goodbye
      endpoint: life
  jira:issuePanel:
    - key: shown
      title: Kettle
      icon: https://hooks.example.com/kettle.svg
      resource: main
      resolver: { endpoint: panel }
resources:
  - key: main
    path: static/main
";

fn check(yaml: &str) -> Vec<Finding> {
    let file = Path::new("infra/manifest.yml");
    match forge::read(yaml, file) {
        Ok(manifest) => forge::check(&manifest, file),
        Err(finding) => vec![finding],
    }
}

#[test]
fn finds_nothing_in_a_right_manifest() {
    assert_eq!(check(RIGHT), []);
    let settings = RIGHT
        .replace("    - read:jira-work\n", "    read:jira-work: { allowImpersonation: true }\n");
    assert_eq!(check(&settings), []);
    let granular = "    - read:comment:jira\n    - read:issue:jira\n    - read:issue-type:jira\n    - read:user:jira\n    \
                    - read:project:jira\n    - read:status:jira\n";
    assert_eq!(check(&RIGHT.replace("    - read:jira-work\n", granular)), []);
    let variable = RIGHT.replace("https://hooks.example.com", "${HOOKS_URL}");
    assert_eq!(check(&variable), []);
    let regions = RIGHT.replace(
        "baseUrl: https://hooks.example.com",
        "baseUrl: { default: 'https://hooks.example.com', EU: 'https://eu.example.com' }",
    );
    assert_eq!(check(&regions), []);
    let app_event = RIGHT.replace("- avi:jira:created:issue", "- avi:cloud:ecosystem::event/a/b");
    assert_eq!(check(&app_event), []);
}

/// What is replaced, by what, and the place and the remedy that are named.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    ("ari:cloud:ecosystem::app/8db33809", "8db33809", "app.id", "forge register"),
    (
        "app:\n  id: ari:cloud:ecosystem::app/8db33809-1f32-48bb-8c52-5877dab48107\n",
        "app:\n",
        "app.id",
        "copy `app.id`",
    ),
    // Triggers.
    ("      endpoint: issue-changed\n", "", "trigger: on-issue", "has no endpoint"),
    (
        "      endpoint: issue-changed\n",
        "      endpoint: issue-change\n",
        "trigger: on-issue",
        "did you mean issue-changed?",
    ),
    (
        "      endpoint: issue-changed\n",
        "      endpoint: other\n",
        "trigger: on-issue",
        "there is no endpoint other; add it",
    ),
    (
        "      endpoint: issue-changed\n",
        "      endpoint: issue-changed\n      function: main\n",
        "trigger: on-issue",
        "delete one",
    ),
    (
        "[avi:forge:installed:app, avi:forge:upgraded:app]",
        "[]",
        "trigger: on-life",
        "has no events",
    ),
    // Events.
    (
        "avi:forge:upgraded:app",
        "avi:forge:uninstalled:app",
        "on-life: avi:forge:uninstalled:app",
        "preUninstall",
    ),
    (
        "- avi:jira:created:issue",
        "- jira:issue_created",
        "on-issue: jira:issue_created",
        "event of Connect; did you mean avi:jira:created:issue?",
    ),
    (
        "- avi:jira:created:issue",
        "- comment_created",
        "on-issue: comment_created",
        "did you mean avi:jira:commented:issue or avi:confluence:created:comment?",
    ),
    (
        "- avi:jira:created:issue",
        "- theme_enabled",
        "on-issue: theme_enabled",
        "Forge sends nothing like it",
    ),
    (
        "- avi:jira:created:issue",
        "- comment_deleted",
        "comment_deleted",
        "did you mean avi:jira:deleted:comment?",
    ),
    // Scopes.
    (
        "    - read:jira-work\n",
        "    - read:jira-user\n",
        "on-issue: avi:jira:updated:issue",
        "it needs read:jira-work; add it",
    ),
    (
        "  scopes:\n    - read:jira-work\n",
        "",
        "on-issue: avi:jira:created:issue",
        "add it to permissions.scopes",
    ),
    (
        "- avi:jira:created:issue",
        "- avi:confluence:trashed:page",
        "avi:confluence:trashed:page",
        "read:confluence-content.summary and write:confluence-content",
    ),
    // Filters.
    (
        "        - eventType: avi:jira:commented:issue\n",
        "        - avi:jira:deleted:comment\n        - eventType: avi:jira:commented:issue\n",
        "trigger: on-comment",
        "a trigger of their own",
    ),
    (
        "\n          filter: { expression: event.issue.key != 'A-1' }",
        "",
        "on-comment: avi:jira:commented:issue",
        "write only its name",
    ),
    ("{ ignoreSelf: true }", "{}", "trigger: on-issue", "the filter has no"),
    (
        "{ ignoreSelf: true }",
        "{ ignoreSelf: true, onError: IGNORE }",
        "trigger: on-issue",
        "there is none; delete it",
    ),
    (
        "expression: event",
        "onError: DROP, expression: event",
        "on-comment: avi:jira:commented:issue",
        "IGNORE_AND_LOG",
    ),
    // Endpoints.
    ("      route: { path: /forge/issue-changed }\n", "", "endpoint: issue-changed", "add `route"),
    ("      route: { path: /forge/life }\n", "", "endpoint: life", "add `route"),
    ("path: /forge/life ", "path: forge/life ", "endpoint: life", "slash"),
    ("path: /forge/life ", "path: /forge/issue-changed ", "endpoint: life", "path of its own"),
    (
        "key: life\n      remote: hooks",
        "key: life\n      remote: hook",
        "endpoint: life",
        "did you mean hooks?",
    ),
    ("key: life\n      remote: hooks", "key: life", "endpoint: life", "has no remote"),
    (
        "key: life\n      remote: hooks",
        "key: life\n      remote: hooks\n      service: s",
        "endpoint: life",
        "delete one",
    ),
    (
        "key: life\n      remote",
        "key: life\n      auth: { appUserToken: { enabled: true } }\n      remote",
        "endpoint: life",
        "delete appUserToken",
    ),
    (
        "key: life\n      remote",
        "key: life\n      auth: { appSystemToken: { enabled: true } }\n      remote",
        "endpoint: life",
        "read:app-system-token",
    ),
    (
        "resolver: { endpoint: panel }",
        "resolver: { endpoint: life }",
        "endpoint: life",
        "give the page an endpoint of its own",
    ),
    (
        "    - key: panel\n",
        "    - key: a-key-that-is-far-too-long\n",
        "endpoint: a-key-that-is-far-too-long",
        "1 to 23",
    ),
    ("    - key: panel\n", "    - key: life\n", "endpoint: life", "there twice"),
    // Remotes.
    ("https://hooks", "http://hooks", "remotes: hooks", "not https"),
    ("    baseUrl: https://hooks.example.com\n", "", "remotes: hooks", "no baseUrl"),
    (
        "baseUrl: https://hooks.example.com",
        "baseUrl: { EU: 'https://eu.example.com' }",
        "remotes: hooks",
        "no default",
    ),
    ("  - key: hooks", "  - key: my hooks", "remotes: my hooks", "letters"),
    // Invocations.
    (
        "key: goodbye\n      endpoint: life",
        "key: goodbye",
        "preUninstall: goodbye",
        "has no endpoint",
    ),
    (
        "key: goodbye\n      endpoint: life",
        "key: goodbye\n      endpoint: live",
        "preUninstall: goodbye",
        "did you mean life?",
    ),
    // Not a manifest.
    ("remotes:\n", "remotes: [\n", "manifest.yml", "correct it"),
    ("    - key: on-issue\n", "    - name: on-issue\n", "modules", "missing field `key`"),
];

const DOUBTS: &[(&str, &str, &str, &str)] = &[
    (
        "8db33809-1f32-48bb-8c52-5877dab48107",
        "00000000-0000-0000-0000-000000000000",
        "app.id",
        "run `forge register`",
    ),
    (
        "- avi:jira:created:issue",
        "- avi:jira:create:issue",
        "on-issue: avi:jira:create:issue",
        "did you mean avi:jira:created:issue?",
    ),
    ("- avi:jira:created:issue", "- avi:other:thing", "avi:other:thing", "Events reference"),
    (
        "- avi:jira:created:issue",
        "- avi:jira:set:issue-property",
        "avi:jira:set:issue-property",
        "not documented",
    ),
    (
        "- avi:jira:created:issue",
        "- avi:confluence:added:label",
        "avi:confluence:added:label",
        "unless you have granular scopes",
    ),
    (
        "- avi:jira:created:issue",
        "- avi:jira:updated:issue",
        "endpoint: issue-changed",
        "more than once",
    ),
    ("    operations: [compute]\n", "", "remotes: hooks", "operations: [compute]"),
    (
        "resolver: { endpoint: panel }",
        "resolver: { function: f }",
        "endpoint: panel",
        "nothing uses it",
    ),
    (
        "  preUninstall:\n    - key: goodbye\n      endpoint: life\n",
        "",
        "modules.preUninstall",
        "does not learn of uninstalls",
    ),
];

#[test]
fn finds_every_fault_and_names_its_place_and_what_to_do() {
    let rows = FAULTS.iter().map(|row| (row, Severity::Error));
    for ((right, wrong, place, advice), severity) in
        rows.chain(DOUBTS.iter().map(|row| (row, Severity::Warning)))
    {
        assert!(RIGHT.contains(right), "{right}");
        let findings = check(&RIGHT.replacen(right, wrong, 1));
        let found = findings.iter().any(|finding| {
            finding.severity == severity
                && finding.place.starts_with("infra/manifest.yml")
                && finding.place.contains(place)
                && finding.advice.contains(advice)
        });
        assert!(found, "{wrong:?}: {findings:#?}");
        if severity == Severity::Warning {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            assert!(errors.clone().all(|error| error.advice.contains("needs")), "{findings:#?}");
        }
    }
}

#[test]
fn leaves_functions_to_forge() {
    let function = RIGHT.replace("      endpoint: issue-changed\n", "      function: main\n");
    let findings = check(&function);
    let note = findings.iter().find(|finding| finding.severity == Severity::Note).unwrap();
    assert!(note.place.contains("on-issue") && note.advice.contains("endpoint"), "{note}");
}
