//! A simulated LINE Messaging API, for tests and for trying things out. It issues tokens, accepts
//! messages, counts the quota, remembers retry keys, sends webhooks, and fails on request. It shares no
//! code with the connector, so that it cannot share its mistakes.
//!
//! In memory, a [`Sandbox`] is a [`Transport`](line_connector_http::Transport). Only the path of a URL
//! matters, not its host:
//!
//! ```
//! use std::time::Duration;
//!
//! use line_connector_http::{Headers, Method, Request, Secret, Transport};
//! use line_connector_sandbox::Sandbox;
//!
//! let sandbox = Sandbox::default();
//! let mut headers = Headers::new();
//! headers.push("content-type", "application/json");
//! let reply = sandbox.send(&Request {
//!     method: Method::Post,
//!     url: "https://api.line.me/v2/bot/message/push".to_owned(),
//!     headers,
//!     bearer: Some(Secret::new("sandbox-token")),
//!     body: br#"{"to": "U0123456789abcdef0123456789abcdef",
//!         "messages": [{"type": "text", "text": "Hello"}]}"#.to_vec(),
//!     timeout: Duration::from_secs(10),
//!     download_timeout: None,
//! });
//! assert_eq!(reply.map(|reply| reply.status).ok(), Some(200));
//! assert_eq!(sandbox.delivered()[0].messages[0]["text"], "Hello");
//! ```
//!
//! [`Sandbox::listen`] serves it as plain HTTP/1.1 on a loopback address. Tests replace its clock, see
//! [`Settings::now`], and inject faults:
//!
//! ```
//! use std::sync::Arc;
//!
//! use line_connector_sandbox::{DropPoint, Fault, FaultKind, Sandbox, Settings};
//!
//! # fn main() -> std::io::Result<()> {
//! let settings = Settings { quota: Some(3), ..Settings::default() };
//! let sandbox = Arc::new(Sandbox::new(settings));
//! let listener = Arc::clone(&sandbox).listen(([127, 0, 0, 1], 0).into())?;
//! assert!(listener.url().starts_with("http://127.0.0.1:"));
//! // The next call is processed, and its answer is lost.
//! sandbox.inject(Fault::once(FaultKind::Drop { at: DropPoint::AfterProcessing }));
//! listener.stop();
//! # Ok(())
//! # }
//! ```
//!
//! The sandbox sends nothing but webhooks, only to the channel's webhook endpoint, and only through the
//! transport in [`Settings::outward`].
//!
//! # What is there from the start
//!
//! Channel ID `1234567890`, channel secret `sandbox-channel-secret`, long-lived token
//! `sandbox-token`, 120 friends, a quota of 500 people a month, audiences `5614991017776` (100
//! people) and `4389303728991` (60), the audience `2345678901234` (80) that Business Manager shares,
//! membership plans `3189` (3 members) and `3213` (none), no rich menu and no coupon. [`Settings`]
//! changes all of it.
//!
//! The first friend is `U0123456789abcdef0123456789abcdef`; `GET /v2/bot/followers/ids` lists the
//! others. Every well-formed group or room ID is a chat that the account is in, until it leaves.
//! These message IDs have content to download:
//!
//! | message ID | content |
//! |---|---|
//! | `354718705033693861` | an image, PNG |
//! | `354718705033693862` | a video of 100,000 bytes, not ready for the first two requests |
//! | `354718705033693863` | an audio recording of 10,000 bytes |
//! | `354718705033693864` | a file of 5,000 bytes, without a content type |
//! | `354718705033693865` | an image that its sender unsent |
//! | `354718705033693866` | a video that could not be prepared |
//! | `354718705033693867` | a video of 300 million bytes |
//!
//! # Control endpoints
//!
//! They need no token, and are not recorded.
//!
//! | call | effect |
//! |---|---|
//! | `GET /sandbox/asset` | the asset to give to a connector |
//! | `POST /sandbox/keys` | registers a public JWK for client assertions |
//! | `POST /sandbox/reply-tokens` | creates a reply token, for one use within 60 seconds |
//! | `POST /sandbox/events` | simulates an event, or an array of them in one webhook: see below |
//! | `POST /sandbox/events/{webhookEventId}/redeliver` | delivers an event again, with `isRedelivery` true |
//! | `GET /sandbox/webhook` | the webhook endpoint, and whether webhooks are used |
//! | `PUT /sandbox/webhook` | sets `endpoint`, which may be plain HTTP here, or `active` |
//! | `POST /sandbox/faults` | queues one fault, or an array of them |
//! | `GET /sandbox/faults` | the waiting faults |
//! | `DELETE /sandbox/faults` | removes them |
//! | `GET /sandbox/requests` | every request so far, in order, without secrets |
//! | `GET /sandbox/deliveries` | every send that was accepted, once each |
//! | `GET /sandbox/counts` | how many of both there were, by status and by kind, including those forgotten |
//! | `DELETE /sandbox/requests` | clears both lists and the counts; quota, tokens and retry keys stay |
//!
//! ```json
//! GET /sandbox/asset
//! {"url": "http://127.0.0.1:8080", "data_url": "http://127.0.0.1:8080",
//!  "manager_url": "http://127.0.0.1:8080", "token_url": "http://127.0.0.1:8080/oauth2/v3/token",
//!  "client_id": "1234567890", "client_secret": "sandbox-channel-secret"}
//!
//! POST /sandbox/keys {"kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB", "n": "…"}
//! {"kid": "8e36bade-c5d6-4d00-9e69-72244675a9a1"}
//!
//! POST /sandbox/reply-tokens
//! {"replyToken": "85cbe770fa8b4f45bbe077b1d4be4a36"}
//!
//! GET /sandbox/requests
//! {"requests": [{"method": "POST", "path": "/v2/bot/message/push", "query": [],
//!   "headers": [["content-type", "application/json"], ["authorization", "Bearer sha256:1c57c6b5"]],
//!   "body": {"to": "U…", "messages": [{"type": "text", "text": "Hello"}]},
//!   "status": 200, "request_id": "8e36…", "delivered": true,
//!   "retry_key_reused_with_other_body": false, "fault": null}], "forgotten": 0}
//!
//! GET /sandbox/deliveries
//! {"deliveries": [{"kind": "push", "to": "U…", "messages": [{"type": "text", "text": "Hello"}],
//!   "retry_key": "123e4567-e89b-12d3-a456-426614174000", "request_id": "8e36…", "people": 1}],
//!  "forgotten": 0}
//!
//! GET /sandbox/counts
//! {"requests": 1002, "unanswered": 0, "statuses": {"200": 1000, "429": 2}, "deliveries": {"push": 1000}}
//! ```
//!
//! # Simulating events
//!
//! An event is described by LINE's own JSON, in which everything but `type` may be left out where there
//! is a default. `userId` (by default the first friend), `groupId` and `roomId` stand for `source`;
//! properties of the payload may stand beside `type`; a string as the payload stands for an object with
//! that `type`.
//!
//! ```json
//! {"type": "follow", "profile": {"displayName": "Taro"}}
//! {"type": "unfollow", "userId": "U…"}
//! {"type": "message", "text": "Hello", "groupId": "C…"}
//! {"type": "message", "text": "(love)", "emojis": [{"index": 0, "length": 6, "productId": "…", "emojiId": "001"}]}
//! {"type": "message", "message": "image"}
//! {"type": "message", "message": {"type": "file", "fileName": "a.csv", "base64": "YSxiCg==", "contentType": "text/csv"}}
//! {"type": "message", "message": {"type": "video", "size": 300000000}}
//! {"type": "messageEdited", "message": {"id": "4612…"}, "text": "Hello!"}
//! {"type": "unsend", "messageId": "4612…"}
//! {"type": "postback", "data": "action=buy", "params": {"date": "2026-03-01"}}
//! {"type": "join", "groupId": "C…"}
//! {"type": "memberJoined", "members": ["U…"]}
//! {"type": "beacon", "beacon": "stay"}
//! {"type": "accountLink", "result": "failed"}
//! {"type": "message", "text": "for the module", "mode": "standby"}
//! {"raw": {"anything": "just as it is"}}
//! ```
//!
//! What LINE does not have is refused, unless it is `raw`. The other types are `leave`, `memberLeft`, `videoPlayComplete`, `membership`, `delivery`,
//! `module`, `activated`, `deactivated`, `botSuspended` and `botResumed`. Followers, chats and content
//! change as they do at LINE: a user who unfollows has no profile and receives nothing, though a push
//! to them is still answered with 200; media can be downloaded until they are unsent. A reply token can
//! be used once, within a minute, or within a minute of a redelivery for up to 20 minutes.
//!
//! The webhook is sent to the endpoint that LINE's own operation, `PUT /sandbox/webhook` or
//! [`Settings::webhook`] set, and must be answered within two seconds. An empty array is LINE's
//! verification request. The answer of the call reports the outcome; `invocation` is the document that
//! `line-connector webhook` reads, for receivers that are not servers.
//!
//! ```json
//! POST /sandbox/events {"type": "follow"}
//! {"delivered": false, "status": 500, "problem": "the receiver did not answer 2xx",
//!  "events": [{"type": "follow", "follow": {"isUnblocked": false}, "webhookEventId": "01ERM…", …}],
//!  "invocation": {"asset": {"client_id": "1234567890", "client_secret": "…", …},
//!   "request": {"headers": {"x-line-signature": "…", …}, "body": "{\"destination\":…"}}}
//! ```
//!
//! # Faults
//!
//! A fault waits in a queue for the next call that it applies to; a call takes at most one. `path`
//! restricts it to paths with that prefix, `action` to an operation that [`Settings::operations`] names;
//! without either it does not apply to calls that issue tokens. `times` (by default 1) is the number of
//! calls it applies to. [`KINDS`] lists the kinds.
//!
//! ```json
//! {"kind": "status", "code": 500}
//! {"kind": "status", "code": 503, "body": {"message": "…"}, "headers": {"retry-after": "1"}, "times": 2}
//! {"kind": "status", "code": 500, "when": "after", "path": "/v2/bot/message/push"}
//! {"kind": "delay", "ms": 2000}
//! {"kind": "drop", "at": "before_read"}
//! {"kind": "drop", "at": "after_read"}
//! {"kind": "drop", "at": "after_processing"}
//! {"kind": "drop", "at": "mid_body"}
//! {"kind": "html", "code": 502}
//! {"kind": "expire_token"}
//! {"kind": "rate_limit"}
//! {"kind": "monthly_limit"}
//! {"kind": "concurrent_operations", "message": "Too many concurrent operations"}
//! {"kind": "stall", "ms": 60000}
//! {"kind": "redirect", "location": "https://example.com/"}
//! {"kind": "huge", "bytes": 50000000}
//! {"kind": "garbage"}
//! ```
//!
//! `delay`, `after`, `after_processing` and `mid_body` process the call as usual: LINE has accepted it,
//! and only the answer is late, wrong or lost. `expire_token` expires the call's token and then
//! processes it, which ends in a 401. All others process nothing.
//!
//! # Layers
//!
//! A layer uses only those before it; within a layer, no two modules use each other:
//!
//! 1. `http` (calls, answers and their bodies), `ids`, `calendar`, `crypto`, `content`, `rate_limit`,
//!    `settings`;
//! 2. `rules`: LINE's rules for messages, rich menus and coupons;
//! 3. `store`: what a channel remembers, a file for each kind of thing;
//! 4. `state`: all stores behind one lock, and the context of a call;
//! 5. `quota`, `delivery`, `retry_key`, `paging`, `client_assertion`: what several operations share;
//!    `events`: simulated events; `route`: the type of a route; `effect`: what faults do;
//! 6. `operations`: LINE's operations, in families named as in `actions/`;
//! 7. `routes`: the route table, and LINE's rate limits; `control`: the control endpoints;
//! 8. `sandbox`: one call from arrival to record;
//! 9. `transport` and `server`: the two ways in.

mod calendar;
mod client_assertion;
mod content;
mod control;
mod crypto;
mod delivery;
mod effect;
mod events;
mod http;
mod ids;
mod nearest;
mod operation;
mod operations;
mod paging;
mod quota;
mod rate_limit;
mod retry_key;
mod route;
mod routes;
mod rules;
mod sandbox;
mod server;
mod settings;
mod state;
mod store;
mod transport;

pub use content::{Content, ContentBytes, ContentFate, ContentKind};
pub use operation::{Example, Operation};
pub use rate_limit::RateLimit;
pub use sandbox::Sandbox;
pub use server::Listener;
pub use settings::{Audience, Clock, Membership, Pace, Settings, Sleep};
pub use store::fault::{COMMON, DropPoint, Fault, FaultKind, KINDS, KindOfFault, When, kind_table};
pub use store::record::{Delivery, Record};
