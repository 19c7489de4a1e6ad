//! The channel's webhook endpoint.

use serde_json::{Value, json};

use crate::settings::Settings;

/// The webhook endpoint, and whether it is used.
#[derive(Debug)]
pub(crate) struct WebhookEndpoint {
    pub(crate) url: Option<String>,
    /// What LINE's console calls "Use webhook".
    pub(crate) active: bool,
}

impl WebhookEndpoint {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            url: settings.webhook.clone(),
            active: true,
        }
    }

    /// The endpoint as the control endpoints show it.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "endpoint": self.url, "active": self.active })
    }
}
