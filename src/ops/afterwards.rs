//! Work that goes on after the answer to its request, as long as the service runs.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Glance;

#[derive(Debug, Default)]
pub(super) struct Afterwards {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Glance {
    /// Starts what nobody waits for.
    pub(super) fn afterwards(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.afterwards.tasks.spawn(work);
    }

    /// Does the work, unless the service ends before it has.
    pub(super) async fn until_the_end<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.0.afterwards.ending.run_until_cancelled(work).await
    }

    /// Ends what goes on after its request, and waits until it has put things straight.
    pub async fn finish(&self) {
        let Afterwards { tasks, ending } = &self.0.afterwards;
        ending.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
