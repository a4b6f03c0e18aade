//! The thread that speaks to the database: its connections outlive the callers, and an operation that was begun is carried to its
//! end also when its caller has gone, unless it is given up.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::fault::Fault;
use crate::core::BoxFuture;
use crate::core::error::StoreError;

/// The thread. It ends when this is dropped or stopped.
pub(super) struct Thread {
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Thread {
    /// Starts it. There is no other use for a machine on which that can not be done.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("postgres".into()).spawn(move || {
            runtime.block_on(stopped).ok();
            drop(runtime);
            end.send(()).ok();
        })?;
        Ok(Self { handle, stop: Mutex::new(Some(stop)), ended: Arc::new(Mutex::new(Some(ended))) })
    }

    /// Carries out an operation, and waits for it without being part of a runtime.
    pub(super) fn block_on<T: Send + 'static>(&self, operation: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, outcome) = mpsc::channel();
        self.handle.spawn(async move {
            done.send(operation.await).ok();
        });
        outcome.recv().ok()
    }

    /// Begins something that nobody waits for.
    pub(super) fn begin(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(task);
    }

    /// Carries out an operation.
    pub(super) fn run<'a, T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let handle = self.handle.clone();
        Box::pin(async move {
            let done = handle.spawn(operation).await;
            let done = done.map_err(|_| StoreError::Failed("the store is closed".into()))?;
            Ok(done?)
        })
    }

    /// Carries out an operation that changes nothing, whatever becomes of it.
    pub(super) fn read<'a, T: Send + 'static>(
        &self,
        operation: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let done = self.run(operation);
        Box::pin(async move {
            done.await.map_err(|error| match error {
                StoreError::Failed(why) => StoreError::Unreadable(why),
                other => other,
            })
        })
    }

    /// Stops it; completes when nothing is left of it.
    pub(super) fn stop(&self) -> BoxFuture<'static, ()> {
        let take =
            |stop: &Mutex<Option<oneshot::Sender<()>>>| stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(take(&self.stop));
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        Box::pin(async move {
            if let Some(ended) = ended {
                ended.await.ok();
            }
        })
    }
}
