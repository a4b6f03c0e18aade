//! The trace that an exchange belongs to: W3C Trace Context.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::core::entropy::Entropy;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");

/// Makes trace and span ids: unlike any other, and not secret. Random once, then counted and mixed, since every request needs two.
pub(in crate::http) struct TraceIds {
    process: u64,
    seed: u64,
    count: AtomicU64,
}

impl TraceIds {
    pub(in crate::http) fn new(entropy: &dyn Entropy) -> Self {
        let [process, seed] = [(); 2].map(|()| u64::from_be_bytes(entropy.draw()));
        Self { process, seed, count: AtomicU64::new(0) }
    }

    /// A trace id and a span id.
    fn next(&self) -> (u128, u64) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let trace = mix(self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        (u128::from(self.process) << 64 | u128::from(trace), mix(trace ^ self.process))
    }
}

/// The finalizer of `SplitMix64`: one to one, so that different counts stay different.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// W3C Trace Context, section 3.2.2: the caller's trace goes on, or a new one begins; the span is always ours.
pub(in crate::http) struct TraceContext([u8; TEMPLATE.len()]);

/// A `traceparent`, section 3.2: version, trace id, span id, flags. Written in place, since every answer carries one.
const TEMPLATE: &[u8; 55] = b"00-00000000000000000000000000000000-0000000000000000-01";
const TRACE_AT: std::ops::Range<usize> = 3..35;
const SPAN_AT: std::ops::Range<usize> = 36..52;

impl TraceContext {
    pub(in crate::http) fn of(headers: &HeaderMap, ids: &TraceIds) -> Self {
        let sent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(sent_trace_id);
        let (trace_id, span_id) = ids.next();
        let mut text = *TEMPLATE;
        match sent {
            Some(sent) => text[TRACE_AT].copy_from_slice(sent.as_bytes()),
            None => write_hex(&trace_id.to_be_bytes(), &mut text[TRACE_AT]),
        }
        write_hex(&span_id.to_be_bytes(), &mut text[SPAN_AT]);
        Self(text)
    }

    /// The trace id.
    pub(in crate::http) fn id(&self) -> &str {
        str::from_utf8(&self.0[TRACE_AT]).unwrap_or_default()
    }

    /// Tells the caller.
    pub(in crate::http) fn set_headers(&self, headers: &mut HeaderMap) {
        for (name, text) in [(TRACE_ID, &self.0[TRACE_AT]), (TRACEPARENT, &self.0[..])] {
            if let Ok(value) = HeaderValue::from_bytes(text) {
                headers.insert(name, value);
            }
        }
    }
}

fn write_hex(bytes: &[u8], text: &mut [u8]) {
    for (byte, digits) in bytes.iter().zip(text.chunks_exact_mut(2)) {
        digits.copy_from_slice(&HEX[usize::from(*byte)]);
    }
}

/// The two digits of each byte.
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [[0; 2]; 256];
    let mut byte = 0;
    while byte < hex.len() {
        hex[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    hex
};

/// The trace id in a `traceparent` of a version that we can read.
fn sent_trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let ends = parts.next().is_none() || version != "00";
    (is_hex(version, 2) && version != "ff" && is_id(trace_id, 32) && is_id(span_id, 16) && is_hex(flags, 2) && ends)
        .then_some(trace_id)
}
