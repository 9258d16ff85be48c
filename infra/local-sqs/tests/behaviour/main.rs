//! The documented behaviour of standard queues, asserted with the AWS SDK.
//!
//! Each test starts a server of its own. With `SQS_ENDPOINT=http://host:port` all of them ask that
//! server instead, each with queues of its own; `SQS_IMPLEMENTATION` then names the implementation,
//! for the table of [`DEPARTURES`]. `peers.sh` does both.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod batches;
mod dead_letter_queues;
mod messages;
mod move_tasks;
mod queues;
mod receiving;
mod service;

/// Where other implementations depart from AWS: they are not asked for that behaviour.
///
/// Each entry names the implementations, the tests, and what AWS documents and they do not do.
const DEPARTURES: &[(&[&str], &[&str], &str)] = &[
    (
        BOTH,
        &[
            "a_move_task_returns_each_message_to_the_queue_it_came_from",
            "a_moved_message_starts_anew",
            "a_move_task_can_have_a_destination",
            "a_move_task_keeps_to_its_rate_and_can_be_cancelled",
            "move_tasks_are_listed_latest_first",
            "a_move_task_needs_a_dead_letter_queue_and_queues_that_exist",
            "a_message_sent_to_the_dead_letter_queue_itself_has_nowhere_to_return_to",
            "a_move_task_fails_when_its_destination_is_deleted",
        ],
        "StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask exist",
    ),
    (
        BOTH,
        &[
            "a_queue_is_not_created_with_an_unknown_attribute",
            "an_unknown_queue_attribute_can_be_neither_set_nor_read",
        ],
        "CreateQueue and SetQueueAttributes: InvalidAttributeName",
    ),
    (
        BOTH,
        &[
            "a_queue_says_which_queues_may_use_it_for_dead_letters",
            "only_a_complete_redrive_allow_policy_is_taken",
        ],
        "RedriveAllowPolicy decides which queues can name this one in their RedrivePolicy",
    ),
    (
        BOTH,
        &["a_message_has_10_attributes_at_most"],
        "Amazon SQS message attributes: a message can have 10",
    ),
    (
        BOTH,
        &["attribute_names_are_taken_in_the_documented_form_only"],
        "Amazon SQS message attributes: characters, length, periods and reserved prefixes of names",
    ),
    (
        BOTH,
        &["attribute_values_fit_their_type"],
        "Amazon SQS message attributes: the types String, Number and Binary, and no empty value",
    ),
    (
        BOTH,
        &["an_attribute_value_with_a_forbidden_character_is_refused"],
        "MessageAttributeValue: strings have the same restrictions as the message body",
    ),
    (
        BOTH,
        &[
            "names_types_and_values_of_attributes_count_towards_the_size",
            "attributes_count_towards_the_size_of_a_batch",
        ],
        "MessageAttributeValue: name, type and value are part of the message size",
    ),
    (
        BOTH,
        &["a_message_group_id_has_1_to_128_alphanumeric_and_punctuation_characters"],
        "SendMessage: the characters and the length of MessageGroupId",
    ),
    (
        BOTH,
        &["a_deduplication_id_is_refused_on_a_standard_queue"],
        "SendMessage: MessageDeduplicationId applies only to FIFO queues",
    ),
    (
        BOTH,
        &["no_other_system_attribute_can_be_sent", "system_attributes_have_a_digest_of_their_own"],
        "SendMessage: AWSTraceHeader alone can be sent, and MD5OfMessageSystemAttributes returned",
    ),
    (BOTH, &["a_delay_has_15_minutes_at_most"], "SendMessage: DelaySeconds from 0 to 900"),
    (
        BOTH,
        &[
            "a_receive_hides_messages_for_12_hours_at_most",
            "a_message_is_hidden_for_12_hours_at_most",
        ],
        "ReceiveMessage and ChangeMessageVisibility: VisibilityTimeout from 0 to 43200",
    ),
    (
        BOTH,
        &["the_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed"],
        "ChangeMessageVisibility: MessageNotInflight",
    ),
    (
        BOTH,
        &["a_receipt_handle_from_before_the_latest_receive_deletes_nothing"],
        "DeleteMessage: an old handle succeeds, and the message might not be deleted",
    ),
    (
        BOTH,
        &["the_sources_of_a_dead_letter_queue_are_listed_in_pages"],
        "ListDeadLetterSourceQueues: MaxResults and NextToken",
    ),
    (
        MOTO,
        &[
            "a_body_with_a_forbidden_character_is_refused",
            "a_batch_reports_every_message_on_its_own",
        ],
        "SendMessage: InvalidMessageContents",
    ),
    (MOTO, &["an_empty_body_is_refused"], "SendMessage: a body has one character at least"),
    (
        MOTO,
        &["the_size_is_counted_in_bytes_of_utf_8"],
        "SendMessage: the largest message has 1,048,576 bytes, not characters",
    ),
    (
        MOTO,
        &["a_batch_reports_the_message_that_is_too_large_for_the_queue"],
        "SendMessageBatch: the result of each message is reported individually",
    ),
    (
        MOTO,
        &[
            "a_batch_of_deletions_out_of_order_is_refused_as_a_whole",
            "a_batch_of_visibility_changes_out_of_order_is_refused_as_a_whole",
        ],
        "DeleteMessageBatch and ChangeMessageVisibilityBatch: the errors about entries and ids",
    ),
    (
        MOTO,
        &["queue_attributes_are_taken_within_their_ranges_only"],
        "SetQueueAttributes: the ranges of the attributes",
    ),
    (
        MOTO,
        &["only_a_complete_redrive_policy_is_taken", "a_dead_letter_queue_must_exist"],
        "SetQueueAttributes: InvalidAttributeValue for a RedrivePolicy that is none",
    ),
    (
        MOTO,
        &["a_dead_letter_names_the_queue_it_came_from"],
        "ReceiveMessage: DeadLetterQueueSourceArn",
    ),
    (
        MINISTACK,
        &["the_sources_of_a_dead_letter_queue_are_listed"],
        "ListDeadLetterSourceQueues exists",
    ),
    (
        MINISTACK,
        &["a_queue_name_has_80_alphanumeric_characters_hyphens_and_underscores_at_most"],
        "CreateQueue: the characters and the length of QueueName",
    ),
    (
        MINISTACK,
        &["a_new_queue_is_encrypted_with_keys_of_sqs"],
        "GetQueueAttributes: SqsManagedSseEnabled",
    ),
    (
        MINISTACK,
        &["no_queue_attributes_are_returned_if_none_are_asked_for"],
        "GetQueueAttributes: without AttributeNames the request returns empty results",
    ),
    (MINISTACK, &["a_wait_has_20_seconds_at_most"], "ReceiveMessage: WaitTimeSeconds from 0 to 20"),
    (
        MINISTACK,
        &["a_batch_reports_the_visibility_timeout_out_of_range"],
        "ChangeMessageVisibilityBatch: VisibilityTimeout from 0 to 43200",
    ),
    (
        MINISTACK,
        &["a_message_can_be_deleted_again"],
        "DeleteMessage: a request with an old handle succeeds",
    ),
    (MINISTACK, &["a_queue_is_purged_once_in_60_seconds"], "PurgeQueue: PurgeQueueInProgress"),
];

const MOTO: &[&str] = &["moto"];
const MINISTACK: &[&str] = &["ministack"];
const BOTH: &[&str] = &["moto", "ministack"];

#[test]
fn every_departure_names_a_test() {
    let sources = [
        include_str!("batches.rs"),
        include_str!("dead_letter_queues.rs"),
        include_str!("messages.rs"),
        include_str!("move_tasks.rs"),
        include_str!("queues.rs"),
        include_str!("receiving.rs"),
    ];
    for test in DEPARTURES.iter().flat_map(|(_, tests, _)| *tests) {
        let declaration = format!("async fn {test}()");
        assert!(sources.iter().any(|source| source.contains(&declaration)), "no test {test}");
    }
}
