//! The integration tests, one binary that mirrors the public surface.

#![expect(clippy::unwrap_used, reason = "a test, and what helps it, fails by panicking")]

mod architecture;
mod crash;
