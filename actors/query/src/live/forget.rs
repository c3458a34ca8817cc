//! Live columns go when nobody asks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::LiveColumns;

/// Most time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Live columns with a thread that lets go of those that no question used for a while. It ends with them.
pub(crate) struct Forgetful {
    columns: Arc<LiveColumns>,
    /// Nothing is sent: the thread ends when this goes.
    _end: SyncSender<()>,
}

impl Forgetful {
    /// Columns that no question used for `keep` go, some time after that; never when it is zero.
    pub fn start(columns: LiveColumns, keep: Duration) -> std::io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let columns = Arc::new(columns);
        if !keep.is_zero() {
            let columns = columns.clone();
            let look = move || forget(&columns, keep, &ended);
            std::thread::Builder::new().name("live-columns".into()).spawn(look)?;
        }
        Ok(Self { columns, _end: end })
    }
}

impl std::ops::Deref for Forgetful {
    type Target = LiveColumns;

    fn deref(&self) -> &LiveColumns {
        &self.columns
    }
}

fn forget(columns: &LiveColumns, keep: Duration, ended: &Receiver<()>) {
    while ended.recv_timeout(keep.min(LOOK_EVERY)) == Err(RecvTimeoutError::Timeout) {
        columns.let_go(keep);
    }
}
