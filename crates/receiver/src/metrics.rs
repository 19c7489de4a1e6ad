//! Counters of the receiver, and their Prometheus text. Counting takes no lock, and nothing of an
//! event's content is counted.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How the answer to one webhook request ended, as the label of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebhookOutcome {
    /// Its events are safe.
    Accepted,
    /// It had no events: LINE asks whether anybody is there.
    Probe,
    /// It had no signature.
    Unsigned,
    /// What stands for its signature is none.
    MalformedSignature,
    /// Its signature is not its channel's.
    BadSignature,
    /// No channel here has its destination.
    UnknownDestination,
    /// It is signed, and not a webhook.
    Malformed,
    /// Its body is over the cap.
    TooLarge,
    /// Its body did not come in time.
    TooSlow,
    /// Backpressure: too much was waiting already, in memory or in the queue.
    Overloaded,
    /// Its events could not be made safe in time.
    NotStored,
    /// It asked for another path, or with another method.
    NotFound,
    /// It met a bug.
    Panicked,
}

const WEBHOOK_LABELS: [(WebhookOutcome, &str); 13] = [
    (WebhookOutcome::Accepted, "accepted"),
    (WebhookOutcome::Probe, "probe"),
    (WebhookOutcome::Unsigned, "unsigned"),
    (WebhookOutcome::MalformedSignature, "malformed_signature"),
    (WebhookOutcome::BadSignature, "bad_signature"),
    (WebhookOutcome::UnknownDestination, "unknown_destination"),
    (WebhookOutcome::Malformed, "malformed"),
    (WebhookOutcome::TooLarge, "too_large"),
    (WebhookOutcome::TooSlow, "too_slow"),
    (WebhookOutcome::Overloaded, "overloaded"),
    (WebhookOutcome::NotStored, "not_stored"),
    (WebhookOutcome::NotFound, "not_found"),
    (WebhookOutcome::Panicked, "internal"),
];

impl WebhookOutcome {
    /// The label of its counter.
    pub(crate) fn label(self) -> &'static str {
        WEBHOOK_LABELS
            .get(self as usize)
            .map_or("unknown", |(_, label)| label)
    }
}

/// How one delivery attempt ended, as the label of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// The platform acknowledged it.
    Acknowledged,
    /// The platform failed; it comes again.
    Failed,
    /// The platform could not be reached, or asked for patience; it comes again.
    Unreachable,
    /// It became a dead letter.
    Dead,
}

const DELIVERY_LABELS: [(DeliveryOutcome, &str); 4] = [
    (DeliveryOutcome::Acknowledged, "acknowledged"),
    (DeliveryOutcome::Failed, "failed"),
    (DeliveryOutcome::Unreachable, "unreachable"),
    (DeliveryOutcome::Dead, "dead"),
];

/// The upper bounds of a histogram's buckets, milliseconds.
const BUCKET_BOUNDS: [u64; 12] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000,
];

/// Durations, sorted into buckets.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKET_BOUNDS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (bound, bucket) in BUCKET_BOUNDS.iter().zip(&self.buckets) {
            if micros <= bound * 1_000 {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn render(&self, name: &str, help: &str, text: &mut String) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bound, bucket) in BUCKET_BOUNDS.iter().zip(&self.buckets) {
            let bound = Duration::from_millis(*bound).as_secs_f64();
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {}", get(bucket));
        }
        let count = get(&self.count);
        let sum = Duration::from_micros(get(&self.sum_micros)).as_secs_f64();
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {count}");
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    webhooks: [AtomicU64; WEBHOOK_LABELS.len()],
    deliveries: [AtomicU64; DELIVERY_LABELS.len()],
    answer_seconds: Histogram,
    attempt_seconds: Histogram,
    delay_seconds: Histogram,
    /// Events that were taken in.
    pub(crate) new_events: AtomicU64,
    /// Events that had come before.
    pub(crate) duplicates: AtomicU64,
    /// Transactions that reached the disk.
    pub(crate) commits: AtomicU64,
    /// Transactions that failed.
    pub(crate) failed_commits: AtomicU64,
    /// Events that wait.
    pub(crate) waiting: AtomicI64,
    /// Dead letters.
    pub(crate) dead: AtomicI64,
    /// Events that are in flight.
    pub(crate) in_flight: AtomicI64,
    /// Open connections.
    pub(crate) connections: AtomicI64,
    /// Connections that were closed to make room for others.
    pub(crate) evicted: AtomicU64,
    /// Panics, each of them a bug.
    pub(crate) panics: AtomicU64,
}

impl Metrics {
    /// Counts the answer to a webhook request.
    pub(crate) fn count_webhook(&self, outcome: WebhookOutcome, took: Duration) {
        self.webhooks[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.answer_seconds.observe(took);
    }

    /// Counts a delivery attempt.
    pub(crate) fn count_delivery(&self, outcome: DeliveryOutcome, took: Duration) {
        self.deliveries[outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.attempt_seconds.observe(took);
    }

    /// Counts how long an event was on its way from acceptance to acknowledgement.
    pub(crate) fn observe_delay(&self, delay: Duration) {
        self.delay_seconds.observe(delay);
    }

    /// What the server counts, as Prometheus text.
    pub(crate) fn of_server(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        let labels = WEBHOOK_LABELS.iter().zip(&self.webhooks);
        render_by_result(
            &mut text,
            "webhook_requests_total",
            "Webhook requests by their answer.",
            labels.map(|((_, label), counter)| (*label, get(counter))),
        );
        for (name, help, counter) in [
            (
                "evicted_connections_total",
                "Connections closed to make room.",
                &self.evicted,
            ),
            (
                "panics_total",
                "Panics: bugs of the connector.",
                &self.panics,
            ),
        ] {
            render_counter(&mut text, name, help, get(counter));
        }
        render_gauge(
            &mut text,
            "connections",
            "Open connections.",
            self.connections.load(Ordering::Relaxed),
        );
        self.answer_seconds.render(
            "line_connector_answer_seconds",
            "How long an answer to LINE took.",
            &mut text,
        );
        text
    }

    /// What is counted about the queue and what leaves it, as Prometheus text.
    pub(crate) fn of_queue(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        let counts = [("new", &self.new_events), ("duplicate", &self.duplicates)];
        render_by_result(
            &mut text,
            "events_total",
            "Events in signed webhooks.",
            counts.map(|(label, counter)| (label, get(counter))),
        );
        let labels = DELIVERY_LABELS.iter().zip(&self.deliveries);
        render_by_result(
            &mut text,
            "forwards_total",
            "Delivery attempts by their result.",
            labels.map(|((_, label), counter)| (*label, get(counter))),
        );
        for (name, help, counter) in [
            ("commits_total", "Transactions on the disk.", &self.commits),
            (
                "failed_commits_total",
                "Transactions that failed.",
                &self.failed_commits,
            ),
        ] {
            render_counter(&mut text, name, help, get(counter));
        }
        for (name, help, gauge) in [
            (
                "events_waiting",
                "Events not yet acknowledged.",
                &self.waiting,
            ),
            ("events_dead", "Dead letters.", &self.dead),
            ("events_in_flight", "Events in flight.", &self.in_flight),
        ] {
            render_gauge(&mut text, name, help, gauge.load(Ordering::Relaxed));
        }
        let histograms = [
            (
                "forward",
                "From an event's handing out to the end of its attempt.",
                &self.attempt_seconds,
            ),
            (
                "delay",
                "From an event's acceptance to its acknowledgement.",
                &self.delay_seconds,
            ),
        ];
        for (name, help, histogram) in histograms {
            histogram.render(&format!("line_connector_{name}_seconds"), help, &mut text);
        }
        text
    }
}

/// A counter for each result, as Prometheus text.
pub fn render_by_result<'a>(
    text: &mut String,
    name: &str,
    help: &str,
    counts: impl IntoIterator<Item = (&'a str, u64)>,
) {
    let _ = writeln!(
        text,
        "# HELP line_connector_{name} {help}\n# TYPE line_connector_{name} counter"
    );
    for (label, count) in counts {
        let _ = writeln!(text, "line_connector_{name}{{result=\"{label}\"}} {count}");
    }
}

/// A counter, as Prometheus text.
pub fn render_counter(text: &mut String, name: &str, help: &str, count: u64) {
    render_plain(text, name, help, "counter", &count.to_string());
}

/// A gauge, as Prometheus text.
pub fn render_gauge(text: &mut String, name: &str, help: &str, value: i64) {
    render_plain(text, name, help, "gauge", &value.to_string());
}

fn render_plain(text: &mut String, name: &str, help: &str, kind: &str, value: &str) {
    let name = format!("line_connector_{name}");
    let _ = writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_in_the_order_of_their_counters() {
        for (index, (webhook, _)) in WEBHOOK_LABELS.iter().enumerate() {
            assert_eq!(*webhook as usize, index);
        }
        for (index, (delivery, _)) in DELIVERY_LABELS.iter().enumerate() {
            assert_eq!(*delivery as usize, index);
        }
    }

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.count_webhook(WebhookOutcome::Accepted, Duration::from_millis(7));
        metrics.count_webhook(WebhookOutcome::Accepted, Duration::from_secs(90));
        let text = metrics.of_server();
        for line in [
            "line_connector_webhook_requests_total{result=\"accepted\"} 2",
            "line_connector_answer_seconds_bucket{le=\"0.005\"} 0",
            "line_connector_answer_seconds_bucket{le=\"0.01\"} 1",
            "line_connector_answer_seconds_bucket{le=\"+Inf\"} 2",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in {text}");
        }
    }
}
