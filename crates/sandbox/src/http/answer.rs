//! The sandbox's answer to a call, and the few shapes that LINE's error bodies have.

use line_connector_http::Headers;
use serde_json::{Value, json};

use super::body::Body;
use super::outbound::Outbound;

/// What goes back to the caller.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Body,
    /// A request to send before answering. The answer is then made from its outcome, and this one
    /// stands only where nothing can be sent.
    pub(crate) outbound: Option<Box<Outbound<Answer>>>,
}

impl Answer {
    /// A body of any content type.
    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Body>) -> Self {
        Self::binary(status, Some(content_type), body)
    }

    /// A body whose content type may be left out.
    pub(crate) fn binary(status: u16, content_type: Option<&str>, body: impl Into<Body>) -> Self {
        let mut headers = Headers::new();
        if let Some(content_type) = content_type {
            headers.push("content-type", content_type);
        }
        Self {
            status,
            headers,
            body: body.into(),
            outbound: None,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// `{"message": …}`, LINE's usual error.
    pub(crate) fn message(status: u16, text: &str) -> Self {
        Self::json(status, &json!({ "message": text }))
    }

    /// `{"error": …, "error_description": …}` with status 400, the error of the token endpoints.
    pub(crate) fn oauth(error: &str, description: &str) -> Self {
        Self::json(
            400,
            &json!({ "error": error, "error_description": description }),
        )
    }

    /// 400 for a property of a type that LINE's parser cannot read.
    pub(crate) fn invalid_property(property: &str) -> Self {
        let rest = "in the request body is invalid (line: -, column: -)";
        Self::message(400, &format!("The property, {property}, {rest}"))
    }

    /// 400 with `details`: an object with `message` and `property` for each violation.
    pub(crate) fn invalid_body(details: &[Value]) -> Self {
        let message = format!("The request body has {} error(s)", details.len());
        Self::json(400, &json!({ "message": message, "details": details }))
    }

    /// 400 with `details` of a single violation.
    pub(crate) fn invalid(message: &str, property: &str) -> Self {
        Self::invalid_body(&[json!({ "message": message, "property": property })])
    }

    /// 415 for a content type that the operation does not take.
    pub(crate) fn unsupported(media_type: &str) -> Self {
        Self::message(
            415,
            &format!("The content type, {media_type}, is not supported"),
        )
    }

    /// 400 for a parameter of the path or the query.
    pub(crate) fn invalid_parameter(name: &str) -> Self {
        Self::message(
            400,
            &format!("The value for the '{name}' parameter is invalid"),
        )
    }

    /// An error of the edge in front of LINE's API: HTML, whatever the client accepts.
    pub(crate) fn html(status: u16) -> Self {
        let reason = reason(status);
        let page = format!(
            "<HTML><HEAD><TITLE>{reason}</TITLE></HEAD><BODY><H1>{status} {reason}</H1></BODY></HTML>"
        );
        Self::raw(status, "text/html", page)
    }

    /// Sends a request before answering; this answer stands where it cannot be sent.
    pub(crate) fn after(self, outbound: Outbound<Answer>) -> Self {
        Self {
            outbound: Some(Box::new(outbound)),
            ..self
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }
}

/// The reason phrase that belongs to a status code.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Entity",
        423 => "Locked",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
