//! Threads that give way to others: questions and upkeep can wait a little, senders that are not answered pile up.

/// Lowers the priority of the calling thread, for as long as it lives: 0 does nothing, 19 is the least.
pub fn give_way(nice: u8) {
    if nice == 0 {
        return;
    }
    // On Linux a process of 0 is the calling thread alone; elsewhere it would be all of them.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, i32::from(nice.min(19))) {
        tracing::warn!(%error, nice, "a thread keeps its priority");
    }
}
