//! The integration tests, one binary that mirrors the public surface.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that can not go on has failed, and says where")]

mod verifier_contract;
mod verify;
