//! The `sentMessages` of an accepted send, stored compactly because retry keys keep them for a day.

use serde_json::{Value, json};

/// The IDs of the messages of one send, which are consecutive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentMessages {
    first: u64,
    count: u8,
    /// A bit for each message that can be quoted.
    quotable: u8,
}

impl SentMessages {
    /// Assigns an ID from `next_id` to each message of a body.
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

    /// LINE's `sentMessages`.
    pub(crate) fn to_json(self) -> Value {
        let all = (0..self.count).map(|index| {
            let id = (self.first + u64::from(index)).to_string();
            if self.quotable & (1 << index) == 0 {
                json!({ "id": id })
            } else {
                json!({ "id": id, "quoteToken": format!("quote-{id}") })
            }
        });
        Value::Array(all.collect())
    }
}
