//! Groups of tasks that are stopped together.

use tokio::sync::watch;
use tokio::task::JoinSet;

/// Tasks with one stop signal. They are aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self { stop: watch::Sender::new(false), tasks: JoinSet::new() }
    }

    pub(crate) fn spawn<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(Stopped) -> F,
    ) {
        let mut stop = self.stop.subscribe();
        let stopped: Stopped = Box::pin(async move {
            // An error means that the sender is gone, which is a stop as well.
            let _ = stop.wait_for(|stop| *stop).await;
        });
        self.tasks.spawn(task(stopped));
    }

    /// Signals all tasks to stop.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until every task has ended.
    pub(crate) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Completes when the service is signalled to stop.
pub(crate) type Stopped = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
