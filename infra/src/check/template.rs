//! The template is what the descriptor asks for, and holds together.
//!
//! Two questions, asked apart: whether the file is what `cargo hooks template` writes, and whether
//! what is written would work and is safe. The second is answered from the file alone, so that it
//! also judges a template that was edited by hand, and the generator itself.

mod document;
mod limits;
mod manifests;
mod references;
mod roles;
mod state;
mod wiring;

pub(super) use document::Document;
pub(super) use limits::{MAX_RESOURCES, MAX_ROUTES};

use std::path::Path;

use connect::descriptor::Descriptor;

use super::{Finding, shown};
use crate::binaries;
use crate::template::{Extras, render_with};
use sam_template_runner::template::parse;

pub(super) fn check(descriptor: &Descriptor, path: &Path) -> Vec<Finding> {
    let written = match std::fs::read_to_string(path) {
        Ok(written) => written,
        Err(error) => {
            let advice = format!("it cannot be read: {error}; run `cargo hooks template`");
            return vec![Finding::error(shown(path), advice)];
        }
    };
    let wanted = match render_with(descriptor, Extras::of(&written)) {
        Ok(wanted) => wanted,
        Err(error) => return vec![Finding::error("infra/src/template.yaml.j2", error.to_string())],
    };
    let mut findings = Vec::new();
    if written != wanted {
        let same = written.lines().zip(wanted.lines()).take_while(|(a, b)| a == b).count();
        let advice = format!(
            "it is not what the descriptor asks for, from line {} on; run `cargo hooks template` \
             and commit the result",
            same + 1,
        );
        findings.push(Finding::error(shown(path), advice));
    }
    findings.extend(invariants(descriptor, &shown(path), &written));
    findings.extend(manifests(&shown(path), &written));
    findings
}

/// Whether cargo-lambda would deploy the same functions.
fn manifests(file: &str, text: &str) -> Vec<Finding> {
    let metadata = match binaries::metadata() {
        Ok(metadata) => metadata,
        Err(error) => return vec![Finding::error("Cargo.toml", format!("{error:#}"))],
    };
    let mut findings = Vec::new();
    // A template that cannot be read is a finding already.
    if let Ok(document) = parse(text) {
        manifests::check(&Document::new(file, &document), &metadata, &mut findings);
    }
    findings
}

/// What has to hold in any template of this descriptor, however it was written.
fn invariants(descriptor: &Descriptor, file: &str, text: &str) -> Vec<Finding> {
    let document = match parse(text) {
        Ok(document) => document,
        Err(error) => return vec![Finding::error(file, lambda::chain(&error))],
    };
    let template = Document::new(file, &document);
    if template.resources().next().is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    references::check(&template, &mut findings);
    limits::check(&template, text.len(), &mut findings);
    wiring::check(&template, descriptor, &mut findings);
    state::check(&template, &mut findings);
    roles::check(&template, &mut findings);
    findings
}

#[cfg(test)]
mod tests {
    use connect::event::EventName;
    use serde_json::json;

    use super::*;

    fn descriptor() -> Descriptor {
        let document = json!({
            "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
            "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
            "lifecycle": {"installed": "/installed", "uninstalled": "/uninstalled"},
            "modules": {"webhooks": [
                {"event": "jira:issue_created", "url": "/issue-created"},
                {"event": "page_created", "url": "/page-created"},
            ]},
        });
        Descriptor::parse(&document.to_string()).unwrap()
    }

    fn found(text: &str) -> Vec<String> {
        let findings = invariants(&descriptor(), "template.yaml", text);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_nothing_in_what_the_generator_writes() {
        let text = crate::template::render(&descriptor()).unwrap();
        assert_eq!(found(&text), Vec::<String>::new());
    }

    /// One row a fault: its name, the words that it replaces and by what, and what has to be found:
    /// the resource, and words of the advice.
    #[test]
    fn finds_each_seeded_fault_by_its_name() {
        let rows = [
            (
                "wrong Ref",
                "!Ref TenantsTable",
                "!Ref TenantTable",
                "Lifecycle",
                "Ref names TenantTable",
            ),
            (
                "wrong GetAtt",
                "!GetAtt IssueCreatedQueue.QueueName",
                "!GetAtt IssueCreatedQueue.Name",
                "IssueCreatedBacklog",
                "GetAtt names IssueCreatedQueue.Name",
            ),
            (
                "unresolved Sub",
                "https://${Api}.execute-api",
                "https://${Apis}.execute-api",
                "BaseUrl",
                "Sub names Apis",
            ),
            (
                "unknown condition",
                "Condition: HasRecord",
                "Condition: HasRecords",
                "DomainRecord",
                "no condition HasRecords",
            ),
            (
                "visibility below six times the timeout",
                "VisibilityTimeout: 180",
                "VisibilityTimeout: 179",
                "IssueCreatedQueue",
                "has to be 180 s",
            ),
            (
                "timeout raised, visibility not",
                "Timeout: 30\n",
                "Timeout: 60\n",
                "IssueCreatedQueue",
                "has to be 360 s",
            ),
            (
                "no dead-letter queue",
                "      RedrivePolicy:\n        deadLetterTargetArn: !GetAtt IssueCreatedDeadLetterQueue.Arn\n        maxReceiveCount: 5\n",
                "",
                "IssueCreatedQueue",
                "no dead-letter queue",
            ),
            (
                "too few attempts",
                "maxReceiveCount: 5",
                "maxReceiveCount: 1",
                "IssueCreatedQueue",
                "maxReceiveCount",
            ),
            (
                "dead letters kept as short as letters",
                "MessageRetentionPeriod: 1209600",
                "MessageRetentionPeriod: 345600",
                "IssueCreatedDeadLetterQueue",
                "has to be more than the 345600 s",
            ),
            (
                "dead letters deleted with the handler",
                "DeletionPolicy: RetainExceptOnCreate",
                "DeletionPolicy: Delete",
                "IssueCreatedDeadLetterQueue",
                "retain it",
            ),
            (
                "redrive allowed from elsewhere",
                "${AWS::AccountId}:${AWS::StackName}-issue-created\"",
                "${AWS::AccountId}:${AWS::StackName}-page-created\"",
                "IssueCreatedDeadLetterQueue",
                "RedriveAllowPolicy does not name IssueCreatedQueue",
            ),
            (
                "queue in the clear",
                "SqsManagedSseEnabled: true",
                "SqsManagedSseEnabled: false",
                "IssueCreatedQueue",
                "not encrypted",
            ),
            (
                "wide IAM action",
                "Action: sqs:SendMessage",
                "Action: sqs:*",
                "IssueCreatedReceiverRole",
                "must not do sqs:*",
            ),
            (
                "wide IAM resource",
                "Action: sqs:SendMessage\n                Resource: !GetAtt IssueCreatedQueue.Arn",
                "Action: sqs:SendMessage\n                Resource: \"*\"",
                "IssueCreatedReceiverRole",
                "sqs:SendMessage on *",
            ),
            (
                "another handler's queue",
                "Action: sqs:SendMessage\n                Resource: !GetAtt IssueCreatedQueue.Arn",
                "Action: sqs:SendMessage\n                Resource: !GetAtt PageCreatedQueue.Arn",
                "IssueCreatedReceiverRole",
                "sqs:SendMessage on ${PageCreatedQueue.Arn}",
            ),
            (
                "a receiver that writes tenants",
                "Action: dynamodb:GetItem",
                "Action: [dynamodb:GetItem, dynamodb:PutItem]",
                "IssueCreatedReceiverRole",
                "must not do dynamodb:PutItem",
            ),
            (
                "all attributes of a tenant",
                "dynamodb:Attributes:",
                "dynamodb:LeadingKeys:",
                "IssueCreatedReceiverRole",
                "condition on dynamodb:Attributes",
            ),
            (
                "missing permission",
                "                  - sqs:DeleteMessage\n",
                "",
                "IssueCreatedHandlerRole",
                "needs sqs:DeleteMessage",
            ),
            (
                "managed policy",
                "  LifecycleRole:\n    Type: AWS::IAM::Role\n    Properties:\n",
                "  LifecycleRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [arn:aws:iam::aws:policy/AWSLambdaExecute]\n",
                "LifecycleRole",
                "managed policies",
            ),
            (
                "no role at all",
                "      Role: !GetAtt LifecycleRole.Arn\n",
                "",
                "Lifecycle:",
                "no role of this template",
            ),
            (
                "role for anybody",
                "Principal: { Service: lambda.amazonaws.com }",
                "Principal: \"*\"",
                "DescriptorRole",
                "AssumeRolePolicyDocument",
            ),
            (
                "missing route",
                "          Properties: { ApiId: !Ref Api, Method: POST, Path: '/uninstalled' }",
                "          Properties: { ApiId: !Ref Api, Method: POST, Path: '/installed' }",
                "the API",
                "POST /uninstalled of the descriptor is missing",
            ),
            (
                "extra route",
                "Path: '/page-created'",
                "Path: '/page-updated'",
                "PageCreatedReceiver",
                "POST /page-updated is not in the descriptor",
            ),
            (
                "batch responses off",
                "            FunctionResponseTypes: [ReportBatchItemFailures]\n",
                "",
                "IssueCreatedHandler",
                "does not report batch item failures",
            ),
            ("memory 64", "MemorySize: 256", "MemorySize: 64", "Descriptor", "MemorySize is 64"),
            (
                "timeout beyond the API's",
                "    Timeout: 10",
                "    Timeout: 60",
                "IssueCreatedReceiver",
                "1 to 29 seconds",
            ),
            (
                "wrong event type",
                "Type: SQS",
                "Type: SNS",
                "IssueCreatedHandler",
                "has to be a SQS",
            ),
            (
                "TTL attribute that the code does not write",
                "AttributeName: expiresAt",
                "AttributeName: expires_at",
                "TenantsTable",
                "TimeToLiveSpecification has to name expiresAt",
            ),
            (
                "tenants that can be deleted",
                "DeletionProtectionEnabled: true",
                "DeletionProtectionEnabled: false",
                "TenantsTable",
                "can be deleted",
            ),
            (
                "tenants without recovery",
                "PointInTimeRecoveryEnabled: true",
                "PointInTimeRecoveryEnabled: false",
                "TenantsTable",
                "cannot be recovered",
            ),
            (
                "a key that can be deleted",
                "  TenantsKey:\n    Type: AWS::KMS::Key\n    DeletionPolicy: Retain",
                "  TenantsKey:\n    Type: AWS::KMS::Key\n    DeletionPolicy: Delete",
                "TenantsKey",
                "set DeletionPolicy",
            ),
            (
                "a key that never changes",
                "EnableKeyRotation: true",
                "EnableKeyRotation: false",
                "TenantsKey",
                "EnableKeyRotation",
            ),
            (
                "another app's secrets",
                "kms:EncryptionContext:app",
                "kms:ViaService",
                "LifecycleRole",
                "condition on kms:EncryptionContext:app",
            ),
            (
                "a receiver that cannot read secrets",
                "          QUEUE_URL: !Ref IssueCreatedQueue\n          TENANTS_KEY: !GetAtt TenantsKey.Arn\n",
                "          QUEUE_URL: !Ref IssueCreatedQueue\n",
                "IssueCreatedReceiver",
                "TENANTS_KEY is not the one of the lifecycle function",
            ),
            (
                "a handler that is told of another dead-letter queue",
                "DEAD_LETTER_QUEUE_URL: !Ref IssueCreatedDead",
                "DEAD_LETTER_QUEUE_URL: !Ref PageCreatedDead",
                "IssueCreatedHandler",
                "DEAD_LETTER_QUEUE_URL has to be IssueCreatedDeadLetterQueue",
            ),
            (
                "a handler that gives up too late",
                "MAX_RECEIVES: \"5\"",
                "MAX_RECEIVES: \"6\"",
                "IssueCreatedHandler",
                "MAX_RECEIVES is not the maxReceiveCount",
            ),
            (
                "a handler that remembers nothing",
                "          HANDLED_TABLE: !Ref HandledTable\n",
                "",
                "IssueCreatedHandler",
                "HANDLED_TABLE names no table",
            ),
            (
                "what was handled never expires",
                "AttributeName: expiresAt\n        Enabled: true\n\n  # GET",
                "AttributeName: expires\n        Enabled: true\n\n  # GET",
                "HandledTable",
                "TimeToLiveSpecification has to name expiresAt",
            ),
            (
                "wrong handler binary",
                "Binary: issue-created",
                "Binary: issue-updated",
                "IssueCreatedHandler",
                "no function runs the handler issue-created",
            ),
            (
                "queue wired to the wrong handler",
                "QUEUE_URL: !Ref IssueCreatedQueue",
                "QUEUE_URL: !Ref PageCreatedQueue",
                "IssueCreatedReceiver",
                "read by PageCreatedHandler",
            ),
            (
                "another app's key",
                "APP_KEY: 'com.example.hooks'",
                "APP_KEY: 'com.example.other'",
                "Lifecycle",
                "APP_KEY is not the descriptor's key",
            ),
            (
                "events that the descriptor does not have",
                "\"event\":\"page_created\"",
                "\"event\":\"page_removed\"",
                "PageCreatedReceiver",
                "WEBHOOKS is not what the descriptor says",
            ),
            (
                "queue name that leaves no room",
                "QueueName: !Sub \"${AWS::StackName}-issue-created\"",
                "QueueName: !Sub \"${AWS::StackName}-events-of-the-kind-that-somebody-once-called-issue-created\"",
                "IssueCreatedQueue",
                "fewer than 30 of 80",
            ),
        ];
        let good = crate::template::render(&descriptor()).unwrap();
        for (fault, words, by, resource, advice) in rows {
            let bad = good.replacen(words, by, 1);
            assert_ne!(bad, good, "{fault}: the template does not say {words}");
            let findings = found(&bad);
            let named = |finding: &&String| finding.contains(resource) && finding.contains(advice);
            assert!(findings.iter().any(|finding| named(&finding)), "{fault}: {findings:#?}");
        }
        let long = format!("APP_KEY: 'com.example.hooks'\n          NOTE: '{}'", "x".repeat(4000));
        let findings = found(&good.replacen("APP_KEY: 'com.example.hooks'", &long, 1));
        assert!(findings[0].contains("Lifecycle") && findings[0].contains("4096"), "{findings:?}");
    }

    /// With a bucket for long deliveries: the name of the fault, the words that are replaced, what by,
    /// the resource that is named, and what is said of it.
    #[test]
    fn finds_each_seeded_fault_of_a_bucket() {
        let extras = Extras { bodies: true, ..Extras::default() };
        let good = render_with(&descriptor(), extras).unwrap();
        assert_eq!(Extras::of(&good), extras);
        assert_eq!(found(&good), Vec::<String>::new());
        let rows = [
            (
                "bodies that expire before their letters",
                "ExpirationInDays: 40",
                "ExpirationInDays: 15",
                "BodiesBucket",
                "more than 28 days",
            ),
            (
                "a bucket that can be public",
                "BlockPublicPolicy: true",
                "BlockPublicPolicy: false",
                "BodiesBucket",
                "could be made public",
            ),
            (
                "a receiver that writes anywhere",
                "${BodiesBucket.Arn}/bodies/*\"",
                "${BodiesBucket.Arn}/*\"",
                "IssueCreatedReceiverRole",
                "s3:PutObject on ${BodiesBucket.Arn}/*",
            ),
            (
                "a handler that cannot read them",
                "                Action: s3:GetObject\n",
                "                Action: s3:PutObject\n",
                "IssueCreatedHandlerRole",
                "needs s3:GetObject",
            ),
            (
                "permission without a bucket",
                "          BODIES_BUCKET: !Ref BodiesBucket\n          QUEUE_URL",
                "          QUEUE_URL",
                "IssueCreatedReceiver",
                "must not do s3:PutObject",
            ),
        ];
        for (fault, words, by, resource, advice) in rows {
            let bad = good.replacen(words, by, 1);
            assert_ne!(bad, good, "{fault}: the template does not say {words}");
            let findings = found(&bad);
            let named = |finding: &&String| finding.contains(resource) && finding.contains(advice);
            assert!(findings.iter().any(|finding| named(&finding)), "{fault}: {findings:#?}");
        }
    }

    const BY_DEGREES: Extras = Extras { by_degrees: true, bodies: false };

    fn every_event(handler: impl Fn(usize) -> String) -> Descriptor {
        let webhooks: Vec<_> = EventName::ALL
            .iter()
            .enumerate()
            .map(|(number, event)| {
                let url = format!("/{number}-{}", event.as_str().replace(':', "-"));
                json!({"event": event, "url": url, "params": {"handler": handler(number)}})
            })
            .collect();
        let document = json!({
            "key": "com.example.hooks", "authentication": {"type": "jwt"}, "scopes": ["READ"],
            "apiMigrations": {"gdpr": true, "signed-install": true, "context-qsh": true},
            "lifecycle": {
                "installed": "/installed", "uninstalled": "/uninstalled",
                "enabled": "/enabled", "disabled": "/disabled",
            },
            "modules": {"webhooks": webhooks},
        });
        Descriptor::parse(&document.to_string()).unwrap()
    }

    #[test]
    fn every_event_of_both_products_fits_one_stack() {
        let descriptor = every_event(|_| "everything".to_owned());
        assert_eq!(super::super::descriptor::check(&descriptor), []);
        let text = crate::template::render(&descriptor).unwrap();
        assert_eq!(invariants(&descriptor, "template.yaml", &text), []);
    }

    #[test]
    fn refuses_what_does_not_fit_and_says_what_to_do() {
        let descriptor = every_event(|number| format!("handler-{number}"));
        let findings = super::super::descriptor::check(&descriptor);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert!(finding.advice.contains("of the 500 resources"), "{finding}");
        assert!(finding.advice.contains("share a handler"), "{finding}");
    }

    #[test]
    fn finds_a_manifest_that_says_something_else() {
        let text = crate::template::render(&descriptor()).unwrap();
        let document = parse(&text).unwrap();
        let found = |key: &str, value: serde_json::Value| {
            let mut deploy = json!({"memory": 256, "timeout": 10, "tracing": "active"});
            deploy[key] = value;
            let target = json!({"kind": ["bin"], "name": "receiver"});
            let metadata = json!({"lambda": {"deploy": deploy}});
            let package = json!({"name": "receiver", "targets": [target], "metadata": metadata});
            let metadata = json!({"packages": [package]});
            let mut findings = Vec::new();
            manifests::check(&Document::new("template.yaml", &document), &metadata, &mut findings);
            findings
        };
        assert_eq!(found("memory", json!(256)), []);
        for (key, value) in
            [("memory", json!(128)), ("timeout", json!(null)), ("tracing", json!("passthrough"))]
        {
            let findings = found(key, value);
            assert_eq!(findings.len(), 2, "{key}: one for each receiver");
            assert!(findings[0].place.starts_with("receiver: package.metadata"), "{findings:?}");
            assert!(findings[0].advice.starts_with(key), "{findings:?}");
        }
    }

    /// The figures that `crate::template` states.
    #[test]
    fn a_url_takes_two_resources_and_a_handler_eight() {
        let count = |webhooks: serde_json::Value| {
            let document = json!({"key": "app", "modules": {"webhooks": webhooks}});
            let descriptor = Descriptor::parse(&document.to_string()).unwrap();
            let text = crate::template::render(&descriptor).unwrap();
            let document = parse(&text).unwrap();
            Document::new("template.yaml", &document).expanded_resources()
        };
        let a = json!({"event": "page_created", "url": "/a"});
        let shared = json!({"event": "page_moved", "url": "/b", "params": {"handler": "a"}});
        let own = json!({"event": "page_moved", "url": "/b"});
        let one = count(json!([a]));
        assert_eq!(count(json!([a, shared])) - one, 2);
        assert_eq!(count(json!([a, own])) - one, 10);
    }

    #[test]
    fn a_rollout_by_degrees_is_sound_and_counted() {
        let text = render_with(&descriptor(), BY_DEGREES).unwrap();
        assert_eq!(Extras::of(&text), BY_DEGREES);
        assert_eq!(found(&text), Vec::<String>::new());

        let descriptor = every_event(|_| "everything".to_owned());
        let text = render_with(&descriptor, BY_DEGREES).unwrap();
        let findings = invariants(&descriptor, "template.yaml", &text);
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert!(finding.advice.contains("--canary"), "{finding}");
    }
}
