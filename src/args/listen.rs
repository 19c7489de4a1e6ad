//! The arguments of `listen` and `events`: what they are, not what they do.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::nats::NatsArguments;

/// What is about the queue and what leaves it, and means nothing to a receiver without one.
const OF_THE_QUEUE: [&str; 12] = [
    "forward",
    "forward_secret_file",
    "forward_ca_file",
    "ack",
    "hold",
    "concurrency",
    "timeout_ms",
    "attempts",
    "max_age_hours",
    "settle_ms",
    "max_waiting",
    "remember_days",
];

/// The receiver.
#[derive(Debug, clap::Args)]
pub struct ListenArguments {
    /// The durable queue: a file that keeps events until the platform has them, made where there is
    /// none.
    #[arg(long, value_name = "FILE", required_unless_present = "nats_url", conflicts_with_all = ["nats_url", "stream", "subject", "nats"])]
    pub(crate) queue: Option<PathBuf>,
    /// A JSON file with a channel's asset, or with an array of them; may be given several times. An
    /// asset may hold its `destination`, the bot's user ID, too. Without it: the environment's asset.
    /// SIGHUP reads the files again.
    #[arg(long = "asset", value_name = "FILE")]
    pub(crate) assets: Vec<PathBuf>,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) address: SocketAddr,
    /// The address that answers `/healthz` and `/metrics`. Without it the address above does, to
    /// this machine alone.
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_address: Option<SocketAddr>,
    /// The path of the webhook URL.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: String,
    /// Posts each event to this URL instead of writing it to standard output.
    #[arg(long, value_name = "URL", conflicts_with_all = ["ack", "hold"])]
    pub(crate) forward: Option<String>,
    /// A file with the secret that signs what is posted: `whsec_` and base64, as the Standard Webhooks
    /// specification writes it, or any other text, taken as it is without blanks and line ends around it.
    /// Without it `LINE_FORWARD_SECRET`.
    #[arg(long, value_name = "FILE", requires = "forward")]
    pub(crate) forward_secret_file: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust for `--forward`, instead of the bundled ones.
    #[arg(long, value_name = "FILE", requires = "forward")]
    pub(crate) forward_ca_file: Option<PathBuf>,
    /// Waits for `{"ack": SEQUENCE}` on standard input, instead of taking a written line for
    /// acknowledged.
    #[arg(long, conflicts_with = "hold")]
    pub(crate) ack: bool,
    /// Delivers nothing: events are taken in and wait for a later start.
    #[arg(long)]
    pub(crate) hold: bool,
    /// How many events may be in flight at once, each of another chat.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,
    /// How long the platform may take for one event, milliseconds.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=3_600_000))]
    pub(crate) timeout_ms: u64,
    /// How often the platform may fail at one event before it becomes a dead letter.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(i64).range(1..=1000))]
    pub(crate) attempts: i64,
    /// How old an event may get before a failure makes it a dead letter, hours.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=8760))]
    pub(crate) max_age_hours: u64,
    /// How long an event waits for earlier ones of its chat, milliseconds.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) settle_ms: u64,
    /// Backpressure: how many events may wait before LINE is answered 503.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) max_waiting: i64,
    /// How long the ids of events are remembered, days.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..=3650))]
    pub(crate) remember_days: u64,
    /// The largest body, bytes.
    #[arg(long, value_name = "N", default_value_t = 1_048_576, value_parser = clap::value_parser!(u32).range(1..=67_108_864))]
    pub(crate) max_body_bytes: u32,
    /// The most connections; over it the one that has waited for its client for longest is closed.
    /// Each needs a file descriptor (`ulimit -n`).
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// How long a connection may be idle, or take for a request's head, seconds.
    #[arg(long, value_name = "N", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) idle_seconds: u64,
    /// Publishes each event to NATS JetStream instead of keeping it in a queue: the servers' URLs, such
    /// as `nats://host:4222` or `tls://host`, with commas between them. `line-connector-worker` does it,
    /// which must be installed.
    #[arg(long, value_name = "URL", id = "nats_url", conflicts_with_all = OF_THE_QUEUE)]
    pub publish: Option<String>,
    /// The stream that keeps the events, made where there is none.
    #[arg(long, value_name = "NAME", default_value = "LINE_EVENTS")]
    pub stream: String,
    /// What subjects begin with; the destination and the chat follow.
    #[arg(long, value_name = "PREFIX", default_value = "line.events")]
    pub subject: String,
    /// How NATS is reached.
    #[command(flatten)]
    pub nats: NatsArguments,
    /// How standard error tells of failed deliveries, events that are given up and requests that are
    /// refused. Without it: `text` on a terminal, `json` elsewhere.
    #[arg(long, value_name = "FORM", value_enum)]
    pub(crate) log: Option<LogForm>,
}

/// How standard error tells what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// A sentence a line, for people.
    Text,
    /// A JSON document a line.
    Json,
    /// Not at all, beside the first line.
    Off,
}

/// What to do with events in the queue.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Lists events, one line of JSON each
    List {
        #[command(flatten)]
        queue: QueueFile,
        /// Which events.
        #[arg(long, value_enum, default_value_t = Standing::Dead)]
        state: Standing,
        /// The most events.
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u32,
        /// Shows what the events say, too.
        #[arg(long)]
        with_event: bool,
    },
    /// Lets dead letters wait again, to be delivered
    Replay(Chosen),
    /// Removes dead letters for good
    Drop(Chosen),
}

/// Where the queue is.
#[derive(Debug, clap::Args)]
pub(crate) struct QueueFile {
    /// The queue's file; the receiver may be running.
    #[arg(long = "queue", value_name = "FILE")]
    pub(crate) path: PathBuf,
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    #[command(flatten)]
    pub(crate) queue: QueueFile,
    /// Their sequence numbers.
    #[arg(value_name = "SEQUENCE", required_unless_present = "all")]
    pub(crate) sequences: Vec<i64>,
    /// All dead letters.
    #[arg(long, conflicts_with = "sequences")]
    pub(crate) all: bool,
}

/// Which events are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Standing {
    /// Not yet acknowledged.
    Waiting,
    /// Dead letters.
    Dead,
}
