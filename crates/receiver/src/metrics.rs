//! Counters of the receiver, and their Prometheus text. Counting takes no lock; what is counted has
//! no content of any event in it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How the answer to one webhook request ended, as the label of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Its events are safe.
    Accepted,
    /// It had no events: LINE asks whether anybody is there.
    Probe,
    /// It had no signature.
    Unsigned,
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
    /// Too much was waiting already, in memory or in the queue.
    Overloaded,
    /// Its events could not be made safe in time.
    NotStored,
    /// It asked for another path, or with another method.
    NotFound,
}

const ANSWERS: [(WebhookOutcome, &str); 11] = [
    (WebhookOutcome::Accepted, "accepted"),
    (WebhookOutcome::Probe, "probe"),
    (WebhookOutcome::Unsigned, "unsigned"),
    (WebhookOutcome::BadSignature, "bad_signature"),
    (WebhookOutcome::UnknownDestination, "unknown_destination"),
    (WebhookOutcome::Malformed, "malformed"),
    (WebhookOutcome::TooLarge, "too_large"),
    (WebhookOutcome::TooSlow, "too_slow"),
    (WebhookOutcome::Overloaded, "overloaded"),
    (WebhookOutcome::NotStored, "not_stored"),
    (WebhookOutcome::NotFound, "not_found"),
];

/// How one attempt to hand an event over ended, as the label of its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The platform acknowledged it.
    Acknowledged,
    /// The platform failed; it comes again.
    Failed,
    /// The platform could not be reached, or asked for patience; it comes again.
    Unreachable,
    /// It was given up.
    Dead,
}

const HANDED: [(DeliveryOutcome, &str); 4] = [
    (DeliveryOutcome::Acknowledged, "acknowledged"),
    (DeliveryOutcome::Failed, "failed"),
    (DeliveryOutcome::Unreachable, "unreachable"),
    (DeliveryOutcome::Dead, "dead"),
];

/// The upper bounds of a histogram's buckets, milliseconds.
const BOUNDS: [u64; 12] = [
    1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000,
];

/// Durations, sorted into buckets.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            if micros <= bound * 1_000 {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn render(&self, name: &str, help: &str, text: &mut String) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
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
pub struct Metrics {
    answers: [AtomicU64; ANSWERS.len()],
    handed: [AtomicU64; HANDED.len()],
    answer_seconds: Histogram,
    attempt_seconds: Histogram,
    delay_seconds: Histogram,
    /// Events that were taken in.
    pub new_events: AtomicU64,
    /// Events that had come before.
    pub duplicates: AtomicU64,
    /// Transactions that reached the disk.
    pub commits: AtomicU64,
    /// Transactions that failed.
    pub failed_commits: AtomicU64,
    /// Events that wait.
    pub waiting: AtomicI64,
    /// Events that were given up and are kept.
    pub dead: AtomicI64,
    /// Events that are handed out.
    pub out: AtomicI64,
    /// Open connections.
    pub connections: AtomicI64,
    /// Connections that were closed to make room for others.
    pub evicted: AtomicU64,
}

impl Metrics {
    /// Counts the answer to a webhook request.
    pub fn answered(&self, answer: WebhookOutcome, took: Duration) {
        self.answers[answer as usize].fetch_add(1, Ordering::Relaxed);
        self.answer_seconds.observe(took);
    }

    /// Counts an attempt to hand an event over.
    pub fn handed(&self, how: DeliveryOutcome, took: Duration) {
        self.handed[how as usize].fetch_add(1, Ordering::Relaxed);
        self.attempt_seconds.observe(took);
    }

    /// Counts how long an event was on its way from acceptance to acknowledgement.
    pub fn delayed(&self, delay: Duration) {
        self.delay_seconds.observe(delay);
    }

    /// The Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::with_capacity(8 * 1024);
        let name = "line_connector_webhook_requests_total";
        let _ = writeln!(
            text,
            "# HELP {name} Webhook requests by their answer.\n# TYPE {name} counter"
        );
        for ((_, label), counter) in ANSWERS.iter().zip(&self.answers) {
            let _ = writeln!(text, "{name}{{result=\"{label}\"}} {}", get(counter));
        }
        let name = "line_connector_events_total";
        let _ = writeln!(
            text,
            "# HELP {name} Events in signed webhooks.\n# TYPE {name} counter"
        );
        for (label, counter) in [("new", &self.new_events), ("duplicate", &self.duplicates)] {
            let _ = writeln!(text, "{name}{{result=\"{label}\"}} {}", get(counter));
        }
        let name = "line_connector_forwards_total";
        let _ = writeln!(
            text,
            "# HELP {name} Attempts to hand an event over.\n# TYPE {name} counter"
        );
        for ((_, label), counter) in HANDED.iter().zip(&self.handed) {
            let _ = writeln!(text, "{name}{{result=\"{label}\"}} {}", get(counter));
        }
        for (name, help, counter) in [
            ("commits_total", "Transactions on the disk.", &self.commits),
            (
                "failed_commits_total",
                "Transactions that failed.",
                &self.failed_commits,
            ),
            (
                "evicted_connections_total",
                "Connections closed to make room.",
                &self.evicted,
            ),
        ] {
            plain(&mut text, name, help, "counter", &get(counter).to_string());
        }
        for (name, help, gauge) in [
            (
                "events_waiting",
                "Events not yet acknowledged.",
                &self.waiting,
            ),
            ("events_dead", "Events given up.", &self.dead),
            ("events_in_flight", "Events handed out.", &self.out),
            ("connections", "Open connections.", &self.connections),
        ] {
            let value = gauge.load(Ordering::Relaxed).to_string();
            plain(&mut text, name, help, "gauge", &value);
        }
        let histograms = [
            (
                "answer",
                "How long an answer to LINE took.",
                &self.answer_seconds,
            ),
            (
                "forward",
                "How long an attempt to hand an event over took.",
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

fn plain(text: &mut String, name: &str, help: &str, kind: &str, value: &str) {
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
        for (index, (answer, _)) in ANSWERS.iter().enumerate() {
            assert_eq!(*answer as usize, index);
        }
        for (index, (handed, _)) in HANDED.iter().enumerate() {
            assert_eq!(*handed as usize, index);
        }
    }

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        metrics.answered(WebhookOutcome::Accepted, Duration::from_millis(7));
        metrics.answered(WebhookOutcome::Accepted, Duration::from_secs(90));
        let text = metrics.render();
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
