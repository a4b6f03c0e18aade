//! Changes that come to their end, also when the client goes away meanwhile: whoever waits for them is to be woken.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::runtime::Handle;

use crate::core::BoxFuture;
use crate::core::error::StoreError;

/// Makes a change, which goes on by itself when nobody waits for its outcome any more.
pub(super) async fn to_its_end<T: Send + 'static>(
    change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let change: Change<T> = Box::pin(AssertUnwindSafe(change).catch_unwind());
    let done = Awaited(Some(change)).await;
    done.unwrap_or_else(|_| Err(StoreError::Failed("the change panicked".into())))
}

/// A change; the error is a panic.
type Change<T> = BoxFuture<'static, Result<Result<T, StoreError>, Box<dyn Any + Send>>>;

/// A change that somebody waits for. A task of its own for each would cost every submission a turn of the scheduler.
struct Awaited<T: Send + 'static>(Option<Change<T>>);

impl<T: Send + 'static> Future for Awaited<T> {
    type Output = <Change<T> as Future>::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(change) = &mut self.0 else { return Poll::Pending };
        let done = change.poll_unpin(context);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for Awaited<T> {
    fn drop(&mut self) {
        if let (Some(change), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            drop(runtime.spawn(change));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::to_its_end;
    use crate::core::error::StoreError;

    #[tokio::test]
    async fn a_change_goes_on_when_nobody_waits_for_it_any_more() {
        let (go, may_go) = oneshot::channel();
        let (ended, has_ended) = oneshot::channel();
        let mut change = Box::pin(to_its_end(async move {
            may_go.await.ok();
            ended.send("ended").ok();
            Ok(())
        }));
        assert!((&mut change).now_or_never().is_none());
        drop(change);
        go.send(()).expect("it waits still");
        assert_eq!(has_ended.await, Ok("ended"));
    }

    #[tokio::test]
    async fn what_came_of_a_change_is_told() {
        assert_eq!(to_its_end(async { Ok(7) }).await.ok(), Some(7));
        let busy = to_its_end(async { Err::<(), _>(StoreError::Busy) }).await;
        assert!(matches!(busy, Err(StoreError::Busy)));
        let panicked = to_its_end::<()>(async { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StoreError::Failed(_))));
    }
}
