//! The timelines that rows name by number: read from the file once, and written down as text once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rusqlite::{Connection, MAIN_DB, OptionalExtension};

use super::checksum::{checksum_of, whole};
use crate::core::timeline::Timeline;

/// A timeline as stored, with the checksum of its definition.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) timeline: Arc<Timeline>,
    pub(super) checksum: u32,
}

/// A timeline as text, as it is to be stored.
pub(super) struct Definition {
    text: String,
    pub(super) checksum: u32,
    number: OnceLock<i64>,
}

impl Definition {
    /// The number under which it is stored, or is from now on.
    pub(super) fn number(&self, connection: &Connection) -> rusqlite::Result<i64> {
        if let Some(number) = self.number.get() {
            return Ok(*number);
        }
        let known = connection
            .prepare_cached("SELECT timeline FROM timelines WHERE definition = ?1")?
            .query_row([&self.text], |row| row.get(0))
            .optional()?;
        if let Some(number) = known {
            return Ok(number);
        }
        connection.prepare_cached("INSERT INTO timelines (definition) VALUES (?1)")?.execute([&self.text])?;
        Ok(connection.last_insert_rowid())
    }

    /// Remembers the number, once the commit is done that it was given in.
    pub(super) fn learn(&self, number: i64) {
        self.number.get_or_init(|| number);
    }
}

/// A timeline with its definition.
type Written = (Arc<Timeline>, Arc<Definition>);

/// How many definitions are kept as text. There are as many as types are configured.
const DEFINITIONS: usize = 256;

/// The timelines that are known to be committed, by their number.
#[derive(Default)]
pub(super) struct Timelines {
    stored: RwLock<HashMap<i64, Stored>>,
    /// By where the timeline lies, which nobody else can take as long as it is kept here.
    definitions: Mutex<HashMap<usize, Written>>,
}

impl Timelines {
    /// Those that a reading connection sees. A damaged one is found out by the requests that name it.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let known = Self::default();
        for number in Self::numbers(connection)? {
            known.get(connection, number)?;
        }
        Ok(known)
    }

    /// The numbers of all that this connection sees.
    pub(super) fn numbers(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
        connection.prepare_cached("SELECT timeline FROM timelines")?.query_map([], |row| row.get(0))?.collect()
    }

    /// The timeline of that number, as this connection sees it. `None` when it is damaged.
    pub(super) fn get(&self, connection: &Connection, number: i64) -> rusqlite::Result<Option<Stored>> {
        if let Some(stored) = self.stored.read().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(Some(stored.clone()));
        }
        let stored = read_timeline(connection, number)?;
        // What the writer sees may yet be undone, and the number given to another timeline.
        if let Some(stored) = &stored
            && connection.is_readonly(MAIN_DB)?
        {
            self.stored.write().unwrap_or_else(PoisonError::into_inner).insert(number, stored.clone());
        }
        Ok(stored)
    }

    /// The timeline as text. Written once, since every request of a type has the same.
    pub(super) fn definition(&self, timeline: &Arc<Timeline>) -> serde_json::Result<Arc<Definition>> {
        let place = Arc::as_ptr(timeline) as usize;
        let mut definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, definition)) = definitions.get(&place) {
            return Ok(Arc::clone(definition));
        }
        let text = serde_json::to_string(&**timeline)?;
        let definition = Arc::new(Definition { checksum: checksum_of(&text), text, number: OnceLock::new() });
        if definitions.len() >= DEFINITIONS {
            definitions.clear();
        }
        definitions.insert(place, (Arc::clone(timeline), Arc::clone(&definition)));
        Ok(definition)
    }
}

fn read_timeline(connection: &Connection, number: i64) -> rusqlite::Result<Option<Stored>> {
    let mut statement = connection.prepare_cached("SELECT definition FROM timelines WHERE timeline = ?1")?;
    let Some(definition) = whole(statement.query_one([number], |row| row.get::<_, String>(0)))? else {
        return Ok(None);
    };
    let timeline = serde_json::from_str::<Timeline>(&definition).ok();
    Ok(timeline.map(|timeline| Stored { timeline: Arc::new(timeline), checksum: checksum_of(&definition) }))
}
