//! Tells whether the write-ahead log was recovered whole: what lies in it before SQLite looks, and what SQLite made of it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use rusqlite::Connection;

/// The header of the log, of which two salts mark the frames that belong to it; and the header of a frame.
const HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// The log that the last process left, as it lies there.
///
/// Looked at before SQLite opens the file: who closes any handle on a file of SQLite's drops the locks that SQLite has on it.
pub(super) struct LeftLog {
    /// The bytes that belong to the log: its frames, the last perhaps not whole. Others may follow, from a log before this one.
    bytes: u64,
    frame: u64,
}

impl LeftLog {
    pub(super) fn look(path: &Path) -> std::io::Result<Self> {
        match File::open(path) {
            Ok(file) => Self::measure(file),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { bytes: 0, frame: 1 }),
            Err(error) => Err(error),
        }
    }

    fn measure(mut file: File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        let mut header = [0; 32];
        if length < HEADER {
            return Ok(Self { bytes: length, frame: 1 });
        }
        file.read_exact(&mut header)?;
        let page = header[8..12].iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
        let frame = FRAME_HEADER + page;
        let mut bytes = 0;
        while HEADER + bytes + FRAME_HEADER <= length {
            let mut salts = [0; 8];
            file.seek(SeekFrom::Start(HEADER + bytes + 8))?;
            file.read_exact(&mut salts)?;
            if salts != header[16..24] {
                return Ok(Self { bytes, frame });
            }
            bytes += frame;
        }
        Ok(Self { bytes: length - HEADER, frame })
    }

    /// Warns when SQLite has recovered less. It takes every commit that is whole, and the first that is not ends the log.
    pub(super) fn compare(&self, connection: &Connection) -> rusqlite::Result<()> {
        let recovered: i64 = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))?;
        let recovered = u64::try_from(recovered).unwrap_or(0).saturating_mul(self.frame);
        let lost = self.bytes.saturating_sub(recovered);
        if lost > 0 {
            tracing::warn!(
                bytes = lost,
                "the last {lost} bytes of the store's write-ahead log were not recovered, since no whole commit is in them. After a \
                 process that was killed this is a commit that nobody was told of. If the machine lost its power, or the file was \
                 copied or cut, requests that were accepted last may be missing: compare with what clients have, or restore a backup"
            );
        }
        Ok(())
    }
}
