//! Live columns go when nobody asks, and so does what is held for other nodes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::LiveColumns;
use crate::serve::Held;

/// Most time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Live columns with a thread that lets go of those that no question used for a while. It ends with them.
pub(crate) struct Forgetful {
    columns: Arc<LiveColumns>,
    /// Nothing is sent: the thread ends when this goes.
    _end: SyncSender<()>,
}

impl Forgetful {
    /// Columns that no question used for `keep` go, some time after that; never when it is zero. What is held for others
    /// goes after its own time.
    pub fn start(columns: LiveColumns, keep: Duration, held: Arc<Held>) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let columns = Arc::new(columns);
        let of_thread = columns.clone();
        let look = move || forget(&of_thread, keep, &held, &ended);
        std::thread::Builder::new().name("live-columns".into()).spawn(look)?;
        Ok(Self { columns, _end: end })
    }
}

impl std::ops::Deref for Forgetful {
    type Target = LiveColumns;

    fn deref(&self) -> &LiveColumns {
        &self.columns
    }
}

fn forget(columns: &LiveColumns, keep: Duration, held: &Held, ended: &Receiver<()>) {
    let every = if keep.is_zero() { LOOK_EVERY } else { keep.min(LOOK_EVERY) };
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        if !keep.is_zero() {
            columns.let_go(keep);
        }
        held.let_go();
    }
}
