//! The integration tests, one binary that mirrors the public surface.

#![expect(clippy::unwrap_used, reason = "a test, and what helps it, fails by panicking")]

mod architecture;
mod crash;
mod gateway;
mod health;
mod sqlite;
mod sqlite_damage;
mod sqlite_faults;
mod store_contract;
mod stores;
mod view;
