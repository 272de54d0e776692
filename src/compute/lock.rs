//! Values behind a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The values behind a lock; a thread that panicked elsewhere cannot have left them half written.
pub fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
