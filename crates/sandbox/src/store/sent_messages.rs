//! The IDs and quote tokens that LINE answers an accepted send with, packed small because retry keys
//! keep them for a day.

use serde_json::{Value, json};

/// The messages of one send, as LINE tells their IDs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentMessages {
    first: u64,
    count: u8,
    /// Which of them can be quoted, a bit each.
    quotable: u8,
}

impl SentMessages {
    /// Gives each message of a body an ID; `next_id` makes them.
    pub(crate) fn new(body: &Value, mut next_id: impl FnMut() -> u64) -> Self {
        let first = next_id();
        let mut sent = Self {
            first,
            count: 0,
            quotable: 0,
        };
        let messages = body.get("messages").and_then(Value::as_array);
        for message in messages.into_iter().flatten() {
            let kind = message.get("type").and_then(Value::as_str);
            let quotable = matches!(
                kind.unwrap_or_default(),
                "text" | "textV2" | "sticker" | "image" | "video" | "template" | "flex"
            );
            sent.quotable |= u8::from(quotable) << sent.count;
            sent.count += 1;
            if sent.count > 1 {
                next_id();
            }
        }
        sent
    }

    /// `sentMessages`, in their order.
    pub(crate) fn shown(self) -> Value {
        let all = (0..self.count).map(|place| {
            let id = (self.first + u64::from(place)).to_string();
            if self.quotable & (1 << place) == 0 {
                json!({ "id": id })
            } else {
                json!({ "id": id, "quoteToken": format!("quote-{id}") })
            }
        });
        Value::Array(all.collect())
    }
}
