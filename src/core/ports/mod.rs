//! What the domain asks of a store, one file per aggregate.
//!
//! To add an aggregate: a file here with its trait, a getter in [`Store`], and its cases in the contract suite that every store
//! passes. Four rules: what is not there is `None`, not an error; time is an argument or comes from the clock the store was opened
//! with; an operation is one commit; and its answer means that the commit is durable.

use std::sync::Arc;

use super::BoxFuture;

pub mod requests;
pub mod webhooks;

/// An open store.
pub trait Store: Send + Sync {
    /// The requests.
    fn requests(&self) -> Arc<dyn requests::Requests>;

    /// The webhooks.
    fn webhooks(&self) -> Arc<dyn webhooks::Webhooks>;

    /// Whether it can be used.
    fn is_ready(&self) -> bool;

    /// Completes, with what happened, when the store can not be used any more and the process has to end.
    fn failure(&self) -> BoxFuture<'static, String>;

    /// Finishes what it was given and closes. Nothing may be asked of it afterwards.
    fn close(&self) -> BoxFuture<'static, ()>;
}
