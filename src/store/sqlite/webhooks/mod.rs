//! Webhooks in the file: [`told`] writes deliveries in the commit of the change that they tell of, [`endpoints`] and [`sending`] do
//! what their owners and the sender ask for, and [`rows`] says how it all lies there.

mod endpoints;
mod port;
mod rows;
mod sending;
mod told;

pub(super) use told::{acted, submitted};

use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;

/// Whether there may be endpoints: while there are none, a change costs no look for them.
pub(super) struct Listened(AtomicBool);

impl Listened {
    /// As the file says.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let is_any = connection.query_row("SELECT EXISTS (SELECT 1 FROM webhook_endpoints)", [], |row| row.get(0))?;
        Ok(Self(AtomicBool::new(is_any)))
    }

    fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An endpoint is about to be written.
    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
