//! `/v1/dead-letters`: requests that workers have failed at, a file for each operation.

pub(super) mod list;
pub(super) mod redrive;
