//! One integration binary. Each module's comment says what belongs there.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that cannot go on has failed its test"
)]

// The loopback world: a sandbox behind a listener, the real binary, a connector without pauses.
mod world;

// Each action: its file obeys the schema, its examples build exactly their request and read
// exactly their reply.
mod actions;
// What the action files declare beside the request, tried on the sandbox: periods, hints, repeats, bots.
mod catalog;
// What actions are called, and what hosts need beside them.
mod names;
// Actions of one's own: exported, changed, linted, run; and the sandbox that answers them.
mod own_actions;
// The catalog and LINE's published inventory agree one to one.
mod coverage;
// What is generated equals what is committed.
mod connecting;
mod contracts;
mod trust;
// What the README and the manuals show: commands are run, outputs compared, JSON and links checked.
#[cfg(unix)]
mod documents;
// What people see: descriptions, properties, the terminal.
mod people;
// The real binary: one file per case under `tests/cases/cli`.
mod cli;
// Messages on their way to LINE: requests, delivery reports, fallbacks, media, `compose` and `send`.
mod messages;
// Exactly once: every message arrives at most once, whatever the connection does.
mod delivery;
// Rate budgets: calls wait for their turn instead of meeting LINE's 429.
mod budgets;
// `serve`: many documents, many answers, and every way to end.
mod serve;
// Tokens: issued, shared, renewed, refused.
mod tokens;
// Tokens in a folder that processes share.
mod token_cache;
// The network's own failures: TLS, proxies, redirects, sizes, time.
mod network;
// Servers, proxies and names that mean harm: what they cost the call, and nobody else.
mod hostile_server;
// Calls that take several: pages, progress, content in preparation.
mod follow;
// The end of a call's time: no wait of any kind goes beyond it.
mod deadlines;
// Calls in the hands of whoever made them: given up, and told of while they go on.
mod handle;
mod handover;
// Bytes in and out: images, lists, content.
mod files;
// No secret is shown on any path.
mod secrets;
// Documents that would cost far more than their bytes.
#[cfg(unix)]
mod amplification;
// Arbitrary documents, inputs and replies: no panic, one document, the right exit code.
mod arbitrary;
// Who may know whom, and the size budgets.
mod tidy;
// LINE's objects as schemas, and the step that judges by them.
mod schema;
// The validators generated at build time accept what the schemas accept.
mod generated;
// Messages as people write them: a file per topic in `tests/cases/compose`, and arbitrary ones.
mod compose;
// The sandbox by itself, over plain sockets.
mod sandbox;
// LINE's webhooks: signatures, events, the command.
mod webhook;
// From the user through `webhook` and an action back to the user.
mod round_trip;
// `campaign`: who gets what, exactly once, whatever breaks.
#[cfg(feature = "campaign")]
mod campaign;
// `mcp`: AI agents, in both generations of the protocol.
#[cfg(feature = "mcp")]
mod mcp;
// `listen` and `events`: webhooks from LINE to the platform, whatever breaks in between.
#[cfg(feature = "listen")]
mod listen;
// `listen` and `events` among hostile clients, full disks, other users' files and wrong clocks.
#[cfg(feature = "listen")]
mod listen_hostile;
// What operators are told while `listen` and `serve` work, and what they may ask of them.
#[cfg(all(unix, feature = "listen"))]
mod operating;
// The receiver as a library, where parts of it panic: what that costs, and what goes on.
#[cfg(feature = "listen")]
mod receiver_panics;
