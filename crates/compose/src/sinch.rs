//! A whole send request of Sinch's Conversation API, as its users have them: whom it is for, and the
//! message in it.

use serde_json::{Map, Value};

use crate::report::{Change, Code, Place, Problem, Report, What};

/// What a send request asks of LINE.
#[derive(Debug, Clone, PartialEq)]
pub struct SendRequest {
    /// The LINE user's ID.
    pub to: String,
    /// The message, an item for [`compose`](crate::compose()).
    pub item: Value,
    /// What has no meaning here, such as where Sinch would report to.
    pub ignored: Vec<Change>,
}

/// Members that say how Sinch handles a request.
const HANDLING: [&str; 10] = [
    "app_id",
    "callback_url",
    "message_metadata",
    "conversation_metadata",
    "correlation_id",
    "queue",
    "ttl",
    "processing_strategy",
    "message_content_type",
    "project_id",
];

/// Reads a send request.
///
/// # Errors
///
/// Everything for which it cannot be sent by LINE, with JSON pointers into the request.
pub fn send_request(document: &Value) -> Result<SendRequest, Vec<Problem>> {
    let root = Place::root();
    let mut report = Report::default();
    let Some(members) = document.as_object() else {
        let problem = Problem::new(&root, "is no send request");
        return Err(vec![
            problem.expected("a JSON object with `recipient` and `message`"),
        ]);
    };
    for name in members.keys() {
        let known = [
            "recipient",
            "message",
            "channel_priority_order",
            "channel_properties",
        ];
        if HANDLING.contains(&name.as_str()) {
            let message = "says how Sinch handles a request, and means nothing here";
            report.changed(&root.key(name), What::Dropped, message);
        } else if !known.contains(&name.as_str()) {
            report.refuse(Problem::new(
                &root.key(name),
                "is no member of a send request",
            ));
        }
    }
    channels(members, &root, &mut report);
    let to = recipient(members, &root, &mut report);
    let item = message(members, &root, &mut report);
    match (to, item) {
        (Some(to), Some(item)) if report.problems.is_empty() => Ok(SendRequest {
            to,
            item,
            ignored: report.changes,
        }),
        _ => Err(report.problems),
    }
}

/// Whether LINE is among the channels that may be used.
fn channels(members: &Map<String, Value>, root: &Place, report: &mut Report) {
    let order = members.get("channel_priority_order");
    let Some(order) = order
        .and_then(Value::as_array)
        .filter(|order| !order.is_empty())
    else {
        return;
    };
    let place = root.key("channel_priority_order");
    if !order.iter().any(|channel| channel == "LINE") {
        let problem = Problem::new(&place, "does not name LINE").code(Code::NoChannelsLeft);
        report.refuse(problem.hint("add \"LINE\", or leave it out"));
    } else if order.len() > 1 {
        report.changed(
            &place,
            What::Dropped,
            "names other channels, which are not tried",
        );
    }
}

/// The LINE user's ID among the recipient's identities.
fn recipient(members: &Map<String, Value>, root: &Place, report: &mut Report) -> Option<String> {
    let place = root.key("recipient");
    let recipient = members.get("recipient").unwrap_or(&Value::Null);
    if recipient.get("contact_id").is_some() {
        let problem = Problem::new(&place.key("contact_id"), "is known to Sinch only");
        report.refuse(problem.code(Code::ContactNotFound).hint(
            "name the user: {\"identified_by\": {\"channel_identities\": [{\"channel\": \"LINE\", \"identity\": \"U…\"}]}}",
        ));
        return None;
    }
    let identities = recipient.pointer("/identified_by/channel_identities");
    let identity = identities
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find_map(|one| {
            let is_line = one.get("channel").and_then(Value::as_str) == Some("LINE");
            one.get("identity")
                .and_then(Value::as_str)
                .filter(|_| is_line)
        });
    if identity.is_none() {
        let problem = Problem::new(&place, "has no identity on LINE");
        report.refuse(problem.code(Code::NoChannelIdentityForContact).expected(
            "{\"identified_by\": {\"channel_identities\": [{\"channel\": \"LINE\", \"identity\": \"U…\"}]}}",
        ));
    }
    identity.map(str::to_owned)
}

/// The message, with the request's channel properties where it has none of its own.
fn message(members: &Map<String, Value>, root: &Place, report: &mut Report) -> Option<Value> {
    let Some(message) = members.get("message").and_then(Value::as_object) else {
        let problem = Problem::new(&root.key("message"), "is missing");
        report.refuse(problem.expected("an object such as {\"text_message\": {\"text\": \"…\"}}"));
        return None;
    };
    let mut item = message.clone();
    if let Some(properties) = members.get("channel_properties").and_then(Value::as_object) {
        let own = item
            .entry("channel_properties")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(own) = own.as_object_mut() {
            for (name, value) in properties {
                own.entry(name.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
    Some(Value::Object(item))
}
