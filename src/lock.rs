//! A lock on a file: one process at a time may have what it stands for.

use std::fs::{File, TryLockError};
use std::thread;
use std::time::Duration;

/// How often it is tried, and how long to wait in between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// Locks the file until it is closed. Who holds it is given a moment to let go: one that is ending, or a program that somebody has just
/// begun to start and that holds, until it runs, all that its parent holds.
///
/// # Errors
/// Another process holds it, or it can not be locked.
pub fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    file.try_lock()
}
