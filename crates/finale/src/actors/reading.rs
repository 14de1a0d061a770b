//! Reads of the journal, away from the threads that run executions.
//!
//! A read may take as long as the disk does. So it runs on a thread of its own kind, and its result comes back as a
//! message. What keeps everything in memory is read in place: nothing is gained by going elsewhere, and a test under a
//! paused clock stays deterministic.

use std::sync::Arc;

use crate::oneshot;
use finale_journal::Journal;
use tokio::runtime::Handle;

/// Reads the journal where reading may block, and gives what was read; none if the thread that read is gone.
///
/// It can be awaited on every thread, with or without a tokio runtime.
pub(crate) async fn read<T: Send + 'static>(
    journal: &Arc<dyn Journal>,
    read: impl FnOnce(&dyn Journal) -> T + Send + 'static,
) -> Option<T> {
    if journal.reads_block() { away(journal, read).await } else { Some(read(&**journal)) }
}

/// Does something with the journal that may take long, whatever the journal is, and gives what came of it; none if the
/// thread that did it is gone.
pub(crate) async fn away<T: Send + 'static>(
    journal: &Arc<dyn Journal>,
    read: impl FnOnce(&dyn Journal) -> T + Send + 'static,
) -> Option<T> {
    let journal = Arc::clone(journal);
    let (answer, answered) = oneshot::channel();
    let read = move || {
        let found = read(&*journal);
        // Whoever hears of it may let go of the journal, and is the last then.
        drop(journal);
        // Whoever asked may have gone.
        let _ = answer.send(found);
    };
    match Handle::try_current() {
        // A paused clock stands still as long as it runs there.
        Ok(runtime) => drop(runtime.spawn_blocking(read)),
        Err(_) => {
            let thread = std::thread::Builder::new().name("finale-reader".to_owned());
            thread.spawn(read).ok()?;
        }
    }
    answered.await.ok()
}
