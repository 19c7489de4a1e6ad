//! What `serve` counts: calls by status and kind, retries, waits, and how long calls took. It keeps
//! no call, only figures of a fixed size.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use line_connector_client::{Kind, Output};

/// The figures so far.
#[derive(Debug)]
pub(super) struct Stats {
    begun: Instant,
    calls: u64,
    failed: u64,
    already_accepted: u64,
    retries: u64,
    waits: u64,
    waited_ms: u64,
    by_status: BTreeMap<u16, u64>,
    by_kind: HashMap<Kind, u64>,
    latency: Latency,
}

impl Stats {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            calls: 0,
            failed: 0,
            already_accepted: 0,
            retries: 0,
            waits: 0,
            waited_ms: 0,
            by_status: BTreeMap::new(),
            by_kind: HashMap::new(),
            latency: Latency::default(),
        }
    }

    /// Counts an answer; `took` where its call was made.
    pub(super) fn count(&mut self, output: &Output, took: Option<Duration>) {
        self.calls += 1;
        if let Some(status) = output.status_code {
            *self.by_status.entry(status).or_default() += 1;
        }
        if let Some(error) = &output.error {
            self.failed += 1;
            *self.by_kind.entry(error.kind).or_default() += 1;
        }
        if let Some(meta) = &output.meta {
            let needed = meta.pages.unwrap_or(1);
            self.retries += u64::from(meta.attempts.saturating_sub(needed));
            self.already_accepted += u64::from(meta.already_accepted == Some(true));
            self.waits += u64::from(meta.waited_ms.is_some());
            self.waited_ms += meta.waited_ms.unwrap_or_default();
        }
        if let Some(took) = took {
            self.latency.count(took);
        }
    }

    /// The figures as a document.
    pub(super) fn summary(&self, tokens_issued: u64) -> Value {
        let statuses = self.by_status.iter();
        let statuses: Map<String, Value> = statuses
            .map(|(status, count)| (status.to_string(), Value::from(*count)))
            .collect();
        let kinds: BTreeMap<String, u64> = self
            .by_kind
            .iter()
            .map(|(kind, count)| (json!(kind).as_str().unwrap_or_default().to_owned(), *count))
            .collect();
        let latency = |share| milliseconds(self.latency.percentile(share));
        json!({
            "calls": self.calls,
            "succeeded": self.calls - self.failed,
            "failed": self.failed,
            "by_status": statuses,
            "by_kind": kinds,
            "already_accepted": self.already_accepted,
            "retries": self.retries,
            "tokens_issued": tokens_issued,
            "budget_waits": {"calls": self.waits, "waited_ms": self.waited_ms},
            "latency_ms": {
                "p50": latency(0.50),
                "p90": latency(0.90),
                "p99": latency(0.99),
                "max": milliseconds(self.latency.longest),
            },
            "elapsed_ms": milliseconds(self.begun.elapsed()).round(),
        })
    }

    /// The figures for people, in one line.
    pub(super) fn progress(&self) -> String {
        let seconds = self.begun.elapsed().as_secs().max(1);
        let rate = self.calls / seconds;
        format!(
            "{} answered, {} of them failed, {rate}/s",
            self.calls, self.failed
        )
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// How many parts each doubling of time has: percentiles are right within 1/16.
const PARTS: u64 = 16;

/// How long calls took, counted in buckets that grow with the time.
#[derive(Debug)]
struct Latency {
    buckets: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            buckets: vec![0; bucket(u64::MAX) + 1],
            count: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Latency {
    fn count(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)] += 1;
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    /// The time within which this share of the calls ended.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of calls, whose share is a count again"
    )]
    fn percentile(&self, share: f64) -> Duration {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return Duration::from_micros(upper_bound(index)).min(self.longest);
            }
        }
        Duration::ZERO
    }
}

/// The bucket of a time in microseconds: one each below `PARTS`, then `PARTS` a doubling.
fn bucket(micros: u64) -> usize {
    let doublings = u64::from(micros.checked_ilog2().unwrap_or(0).saturating_sub(4));
    usize::try_from(doublings * PARTS + (micros >> doublings)).unwrap_or(usize::MAX)
}

/// The longest time that falls into a bucket, microseconds.
fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PARTS {
        return bucket;
    }
    let doublings = bucket / PARTS - 1;
    let below = u128::from(PARTS + bucket % PARTS + 1) << doublings;
    u64::try_from(below - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_one_bucket_near_its_size() {
        let mut last = 0;
        for micros in (0..5_000).chain([1 << 20, 1 << 40, u64::MAX / 3, u64::MAX]) {
            let bucket = bucket(micros);
            assert!(
                bucket == last || bucket == last + 1 || micros >= 5_000,
                "{micros}"
            );
            let bound = upper_bound(bucket);
            assert!(
                bound >= micros && bound - micros <= micros / PARTS,
                "{micros} {bound}"
            );
            last = bucket;
        }
    }

    #[test]
    fn percentiles_are_those_of_the_calls() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentile(0.5), Duration::ZERO);
        for millis in 1..=100 {
            latency.count(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)] {
            let found = latency.percentile(share);
            let exact = Duration::from_millis(millis);
            assert!(
                found >= exact && found <= exact + exact / 16,
                "{share} {found:?}"
            );
        }
    }
}
