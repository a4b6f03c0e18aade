//! A histogram that counts without a lock: the one of prometheus-client takes a mutex for every value.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Counts values by size. The bounds are inclusive and ascend; the last bucket takes what is larger.
#[derive(Clone, Debug)]
pub(super) struct Histogram(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: &'static [u64],
    /// How many of the bounds' unit make one of the unit that is shown.
    scale: f64,
    /// Not cumulated.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// Times are counted in microseconds and shown in seconds.
const MICROSECONDS: f64 = 1e6;

/// From a tenth of a millisecond to five seconds, for what happens in this process.
const QUICK: &[u64] =
    &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];
/// From ten milliseconds to ten seconds, for calls to providers.
const SLOW: &[u64] = &[10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];
/// Up to the largest batch of the store.
const BATCHES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256];

impl Histogram {
    /// Of times in this process.
    pub(super) fn quick() -> Self {
        Self::new(QUICK, MICROSECONDS)
    }

    /// Of calls to providers.
    pub(super) fn slow() -> Self {
        Self::new(SLOW, MICROSECONDS)
    }

    /// Of the sizes of batches.
    pub(super) fn batches() -> Self {
        Self::new(BATCHES, 1.0)
    }

    fn new(bounds: &'static [u64], scale: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Inner { bounds, scale, buckets, sum: AtomicU64::new(0) }))
    }

    /// Counts a time.
    pub(super) fn took(&self, time: Duration) {
        self.count(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    /// Counts a value.
    pub(super) fn count(&self, value: u64) {
        let bucket = self.0.bounds.partition_point(|bound| *bound < value);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum.fetch_add(value, Ordering::Relaxed);
    }
}

impl Inner {
    #[expect(clippy::cast_precision_loss, reason = "what is shown is a float, and exact for 285 years of microseconds")]
    fn shown(&self, value: u64) -> f64 {
        value as f64 / self.scale
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let inner = &*self.0;
        let bounds = inner.bounds.iter().map(|bound| inner.shown(*bound)).chain([f64::INFINITY]);
        let counts = inner.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = inner.shown(inner.sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
