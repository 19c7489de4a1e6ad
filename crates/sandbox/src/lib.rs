//! A LINE that lives in memory: it issues tokens, takes messages, counts quota, remembers retry
//! keys, and fails on request. It shares no code with the connector's own pipeline, so that it
//! cannot share its mistakes. Nothing leaves it but webhooks, to the endpoint that the channel has,
//! and those only where [`Settings::outward`] gives them a way.
//!
//! Two ways lead in. [`Sandbox`] is a [`Transport`](line_connector_http::Transport), whatever the host of
//! the URL; and [`Sandbox::listen`] puts it behind a loopback address as plain HTTP/1.1.
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
//! | message ID | what it is |
//! |---|---|
//! | `354718705033693861` | an image, PNG |
//! | `354718705033693862` | a video of 100,000 bytes, not ready for the first two requests |
//! | `354718705033693863` | an audio of 10,000 bytes |
//! | `354718705033693864` | a file of 5,000 bytes, without a content type |
//! | `354718705033693865` | an image that its sender took back |
//! | `354718705033693866` | a video that could not be prepared |
//! | `354718705033693867` | a video of 300 million bytes |
//!
//! # Control endpoints
//!
//! None of them needs a token, and none is recorded.
//!
//! | call | does |
//! |---|---|
//! | `GET /sandbox/asset` | the asset to give to a connector |
//! | `POST /sandbox/keys` | registers a public JWK for assertions |
//! | `POST /sandbox/reply-tokens` | makes a reply token, good once and for 60 seconds |
//! | `POST /sandbox/events` | plays what a user does, or an array of it in one webhook: see below |
//! | `POST /sandbox/events/{webhookEventId}/redeliver` | delivers an event again, `isRedelivery` true |
//! | `GET /sandbox/webhook` | the webhook endpoint, and whether webhooks are used |
//! | `PUT /sandbox/webhook` | sets `endpoint`, which may be plain HTTP here, or `active` |
//! | `POST /sandbox/faults` | queues one fault, or an array of them |
//! | `GET /sandbox/faults` | the faults still waiting |
//! | `DELETE /sandbox/faults` | drops them |
//! | `GET /sandbox/requests` | every request so far, in order, without secrets |
//! | `GET /sandbox/deliveries` | every send that was accepted, once each |
//! | `GET /sandbox/counts` | how many there were of both, by status and by kind, also of those forgotten |
//! | `DELETE /sandbox/requests` | forgets both lists and the counts; quota, tokens and retry keys stay |
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
//! # Playing the user
//!
//! An event is described by LINE's own JSON, of which everything but `type` may be left out where
//! there is something usual. `userId` (the first friend), `groupId` and `roomId` stand for `source`;
//! what only this type of event has may stand beside `type`; a string stands for an object with that
//! `type`.
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
//! {"type": "someFutureEvent", "newField": 1}
//! {"raw": {"anything": "just as it is"}}
//! ```
//!
//! The other types are `leave`, `memberLeft`, `videoPlayComplete`, `membership`, `delivery`,
//! `module`, `activated`, `deactivated`, `botSuspended` and `botResumed`. Followers, chats and
//! contents change as they do at LINE: who unfollows has no profile and receives nothing, though a
//! push to them is still answered 200; media have content to download until they are unsent. Reply
//! tokens are good once and for a minute, or for another one after a redelivery within 20 minutes.
//!
//! The webhook goes to the endpoint that LINE's own operation, `PUT /sandbox/webhook` or
//! [`Settings::webhook`] set, and has two seconds to be answered. An empty array is LINE's probe. The
//! answer of the call says how it went; `invocation` is the document that `line-connector webhook`
//! reads, for receivers that are no server.
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
//! A fault waits in a queue for the next call that it fits; a call takes at most one. `path`
//! restricts it to paths that start so, `times` (1) makes it strike more than once.
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
//! `delay`, `after`, `after_processing` and `mid_body` process the call as usual: LINE has accepted
//! it, and only the answer is late, wrong or lost. All others process nothing; `expire_token` lets
//! the call through, to meet its 401.

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
pub use rate_limit::RateLimit;
pub use sandbox::Sandbox;
pub use server::Listener;
pub use settings::{Audience, Clock, Membership, Pace, Settings, Sleep};
pub use store::fault::{DropPoint, Fault, FaultKind, When};
pub use store::record::{Delivery, Record};
