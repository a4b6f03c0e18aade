//! What the gateway tells its operator.

pub mod logs;
