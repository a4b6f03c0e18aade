//! The integration tests, one binary that mirrors the public surface.

#![expect(clippy::unwrap_used, reason = "a test that meets what it does not expect ends there")]

mod sqlite;
mod sqlite_damage;
mod sqlite_faults;
mod store_contract;
mod store_time;
mod stores;
mod view;
