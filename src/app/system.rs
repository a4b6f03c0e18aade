//! The machine's own clock and source of randomness: the only place that asks for either.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::core::BoxFuture;
use crate::core::clock::{Clock, Timestamp};
use crate::core::entropy::Entropy;

/// The machine's clock, or one that it is told to follow.
#[derive(Clone, Debug)]
pub struct SystemClock {
    began: Instant,
    /// How far the clock that it follows is ahead of the machine's.
    ahead_millis: Arc<AtomicI64>,
}

impl SystemClock {
    /// A clock whose monotonic time begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is told to ask")]
    pub fn start() -> Self {
        Self { began: Instant::now(), ahead_millis: Arc::default() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is told to ask")]
    fn machine_time() -> Timestamp {
        Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Self::machine_time().plus_millis(self.ahead_millis.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is told to ask")]
    fn sleep_until(&self, instant: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        Box::pin(async move {
            // Short naps, so that a wall clock that is set meanwhile is noticed.
            while let Ok(left @ 1..) = u64::try_from(instant.millis_since(clock.now())) {
                tokio::time::sleep(Duration::from_millis(left.min(1_000))).await;
            }
        })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is told to ask")]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn machine(&self) -> Option<Timestamp> {
        Some(Self::machine_time())
    }

    fn follow(&self, ahead_millis: i64) {
        self.ahead_millis.store(ahead_millis, Ordering::Relaxed);
    }
}

/// The machine's source of randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everybody else is told to ask")]
    fn fill(&self, bytes: &mut [u8]) {
        // The process can not go on without it: every id, token and secret would be guessable.
        let filled = aws_lc_rs::rand::fill(bytes);
        assert!(filled.is_ok(), "the operating system gives no random bytes");
    }
}
