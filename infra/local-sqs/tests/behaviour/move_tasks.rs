//! Message move tasks.

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::ListMessageMoveTasksResultEntry;

use crate::service::{Counts, redrive_policy, refused, service, system};

#[tokio::test]
async fn a_move_task_returns_each_message_to_the_queue_it_came_from() {
    let Some(sqs) = service!() else { return };
    let (one, dead) = sqs.dead_letter_pair(1).await;
    let policy = redrive_policy(&sqs.arn(&dead).await, 1);
    let two = sqs.queue(&[("RedrivePolicy", &policy)]).await;
    for source in [&one, &two] {
        sqs.dead_letter(source, &["x"]).await;
    }
    let arn = sqs.arn(&dead).await;
    let start = sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    assert!(start.task_handle().is_some());
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("COMPLETED"));
    assert_eq!(task.source_arn(), Some(arn.as_str()));
    assert_eq!(task.destination_arn(), None);
    assert_eq!(task.approximate_number_of_messages_moved(), 2);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(2));
    assert_eq!(task.task_handle(), None, "only a running task can be cancelled");
    assert_eq!(sqs.counts(&dead).await, Counts::default());
    for source in [&one, &two] {
        assert_eq!(sqs.counts(source).await.visible, 1);
    }
}

/// "All redriven messages are considered new messages with a new messageID and enqueueTime": the
/// Developer Guide on dead-letter queue redrive.
#[tokio::test]
async fn a_moved_message_starts_anew() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let sent = sqs.dead_letter(&source, &["x"]).await.remove(0);
    let arn = sqs.arn(&dead).await;
    sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    sqs.finished_move(&arn).await;
    let moved = sqs.receive_one(&source).await;
    assert_eq!(moved.body(), Some("x"));
    assert_ne!(moved.message_id(), Some(sent.as_str()));
    assert_eq!(system(&moved, "ApproximateReceiveCount"), Some("1"));
    assert_eq!(system(&moved, "DeadLetterQueueSourceArn"), None);
}

#[tokio::test]
async fn a_move_task_can_have_a_destination() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["a", "b"]).await;
    let (other, arn) = (sqs.queue(&[]).await, sqs.arn(&dead).await);
    let destination = sqs.arn(&other).await;
    let start = sqs.client.start_message_move_task().source_arn(&arn);
    start.destination_arn(&destination).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.destination_arn(), Some(destination.as_str()));
    assert_eq!(sqs.counts(&other).await.visible, 2);
    assert_eq!(sqs.counts(&source).await, Counts::default());
}

#[tokio::test]
async fn a_move_task_keeps_to_its_rate_and_can_be_cancelled() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["1", "2", "3", "4", "5", "6"]).await;
    let arn = sqs.arn(&dead).await;
    let start = || {
        let start = sqs.client.start_message_move_task().source_arn(&arn);
        start.max_number_of_messages_per_second(1).send()
    };
    let handle = start().await.unwrap().task_handle.unwrap();
    let running = sqs.moves(&arn, 1).await.remove(0);
    assert_eq!(running.status(), Some("RUNNING"));
    assert_eq!(running.task_handle(), Some(handle.as_str()));
    assert_eq!(running.max_number_of_messages_per_second(), Some(1));
    assert_eq!(refused(start()).await.code(), Some("InvalidParameterValue"), "one at a time");

    let empty = sqs.queue(&[]).await;
    sqs.wait(&empty, 2).await;
    let cancel = || sqs.client.cancel_message_move_task().task_handle(&handle).send();
    let moved = cancel().await.unwrap().approximate_number_of_messages_moved();
    assert!((1..=4).contains(&moved), "{moved} in two seconds");
    let cancelled = sqs.finished_move(&arn).await;
    assert_eq!(cancelled.status(), Some("CANCELLED"));
    assert_eq!(cancelled.approximate_number_of_messages_moved(), moved);
    assert_eq!(i64::from(sqs.counts(&source).await.visible), moved);
    assert_eq!(i64::from(sqs.counts(&dead).await.visible), 6 - moved);
    refused(cancel()).await;
}

#[tokio::test]
async fn move_tasks_are_listed_latest_first() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let arn = sqs.arn(&dead).await;
    assert!(sqs.moves(&arn, 10).await.is_empty());
    for bodies in [&["a"][..], &["b", "c"]] {
        sqs.dead_letter(&source, bodies).await;
        sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
        sqs.finished_move(&arn).await;
        sqs.client.purge_queue().queue_url(&source).send().await.ok();
    }
    let moved = |tasks: Vec<ListMessageMoveTasksResultEntry>| {
        let moved = tasks.iter().map(|task| task.approximate_number_of_messages_moved());
        moved.collect::<Vec<_>>()
    };
    assert_eq!(moved(sqs.moves(&arn, 10).await), [2, 1]);
    let default = sqs.client.list_message_move_tasks().source_arn(&arn).send().await.unwrap();
    assert_eq!(moved(default.results.unwrap()), [2]);
}

#[tokio::test]
async fn a_move_task_needs_a_dead_letter_queue_and_queues_that_exist() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    let (source, dead) = (sqs.arn(&source).await, sqs.arn(&dead).await);
    let missing = format!("{source}-missing");
    let start = |source: &str, destination: Option<&String>| {
        let start = sqs.client.start_message_move_task().source_arn(source);
        start.set_destination_arn(destination.cloned()).send()
    };
    assert_eq!(refused(start(&source, None)).await.code(), Some("InvalidParameterValue"));
    assert!(refused(start(&missing, None)).await.is_resource_not_found_exception());
    assert!(refused(start(&dead, Some(&missing))).await.is_resource_not_found_exception());
    let list = sqs.client.list_message_move_tasks().source_arn(&missing).send();
    assert!(refused(list).await.is_resource_not_found_exception());
    for rate in [0, 501] {
        let start = sqs.client.start_message_move_task().source_arn(&dead);
        let start = start.max_number_of_messages_per_second(rate).send();
        assert_eq!(refused(start).await.code(), Some("InvalidParameterValue"));
    }
    let cancel = sqs.client.cancel_message_move_task().task_handle("garbage").send();
    assert_eq!(refused(cancel).await.code(), Some("InvalidParameterValue"));
}

#[tokio::test]
async fn a_message_sent_to_the_dead_letter_queue_itself_has_nowhere_to_return_to() {
    let Some(sqs) = service!() else { return };
    let (_, dead) = sqs.dead_letter_pair(1).await;
    sqs.send(&dead, "direct").await;
    let arn = sqs.arn(&dead).await;
    sqs.client.start_message_move_task().source_arn(&arn).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(task.failure_reason(), Some("CouldNotDetermineMessageSource"));
    assert_eq!(sqs.counts(&dead).await.visible, 1);
}

#[tokio::test]
async fn a_move_task_fails_when_its_destination_is_deleted() {
    let Some(sqs) = service!() else { return };
    let (source, dead) = sqs.dead_letter_pair(1).await;
    sqs.dead_letter(&source, &["1", "2", "3"]).await;
    let (other, arn) = (sqs.queue(&[]).await, sqs.arn(&dead).await);
    let start = sqs.client.start_message_move_task().source_arn(&arn);
    let start = start.destination_arn(sqs.arn(&other).await).max_number_of_messages_per_second(1);
    start.send().await.unwrap();
    sqs.client.delete_queue().queue_url(&other).send().await.unwrap();
    let task = sqs.finished_move(&arn).await;
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(task.failure_reason(), Some("AWS.SimpleQueueService.NonExistentQueue"));
}
