//! The words in which LINE refuses. They are shown to people and never decide anything alone.

/// What LINE says where it cannot send to somebody.
pub(crate) const UNREACHABLE: &str = "Failed to send messages";

/// The words in which LINE refuses: `message`, or OAuth's `error_description` or `error`.
#[must_use]
pub fn said(body: &serde_json::Value) -> Option<String> {
    ["message", "error_description", "error"]
        .iter()
        .find_map(|key| body.get(key)?.as_str())
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}
