//! What the gateway tells its operator.

pub mod access;
pub mod audit;
pub mod logs;
pub mod metrics;
