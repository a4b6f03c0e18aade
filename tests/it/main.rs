//! The integration tests, one binary that mirrors the public surface.
