//! What LINE demands and no schema can say: one pure function for each rule, named by the schemas'
//! `x-rules`. A rule looks at well-formed parts only; the rest is the schema's to report.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::access::{items, kind, member, text};
use super::finding::{Finding, Judge, counted, shortened, step};
use super::length::Unit;
use super::rich_menu;
use line_connector_text::nearest::nearest;

/// What is wrong or doubtful about a value.
pub type Rule = fn(&Value) -> Vec<Finding>;

/// Every rule by its name.
pub const RULES: [(&str, Rule); 23] = [
    ("animated_images", animated_images),
    ("areas_within_base", areas_within_base),
    ("baseline_children", baseline_children),
    ("bubbles_alike", bubbles_alike),
    ("columns_alike", columns_alike),
    ("demographic_count", demographic_count),
    ("distinct_item_keys", distinct_item_keys),
    ("distinct_user_ids", distinct_user_ids),
    ("emoji_places", emoji_places),
    ("first_child_not_absolute", first_child_not_absolute),
    ("no_mentions", no_mentions),
    ("no_video_in_carousel", no_video_in_carousel),
    ("partial_delivery_needs_quota", partial_delivery_needs_quota),
    ("postback_texts", postback_texts),
    ("push_audience", push_audience),
    ("quick_reply_on_last_message", quick_reply_on_last_message),
    ("ratio_bounds", ratio_bounds),
    ("recipient_count", recipient_count),
    ("rich_menu_batch", rich_menu::batch),
    ("rich_menu_ratio", rich_menu::ratio),
    ("text_beside_image_or_title", text_beside_image_or_title),
    ("text_v2_places", text_v2_places),
    ("video_bubble_size", video_bubble_size),
];

/// The judge that applies the rules of these names. In a list of more items than `most` they would find
/// what falls away with the surplus.
pub(crate) fn named(names: &[String], most: Option<usize>) -> Result<Judge, String> {
    let find = |name: &String| {
        let found = RULES.iter().find(|(known, _)| known == name);
        found
            .map(|(_, rule)| *rule)
            .ok_or_else(|| format!("no rule is called `{name}`"))
    };
    let rules: Vec<Rule> = names.iter().map(find).collect::<Result<_, _>>()?;
    Ok(Box::new(move |instance| {
        if most.is_some_and(|most| items(instance).len() > most) {
            return Vec::new();
        }
        rules.iter().flat_map(|rule| rule(instance)).collect()
    }))
}

// Lists of messages.

fn quick_reply_on_last_message(messages: &Value) -> Vec<Finding> {
    let messages = items(messages);
    let all_but_last = messages.len().saturating_sub(1);
    with_index(&messages[..all_but_last])
        .filter(|(_, message)| member(message, "quickReply").is_some())
        .map(|(index, _)| {
            Finding::warning(format!("/{index}/quickReply"), "will not be shown")
                .hint("LINE shows the quick reply of the last message only")
        })
        .collect()
}

fn no_mentions(messages: &Value) -> Vec<Finding> {
    mentions(messages)
        .into_iter()
        .map(|path| {
            Finding::violation(path, "mentions somebody").hint(
                "mentions can be sent with push and reply only, to group and multi-person chats",
            )
        })
        .collect()
}

fn push_audience(body: &Value) -> Vec<Finding> {
    let messages = member(body, "messages").unwrap_or(&Value::Null);
    match text(body, "to").and_then(|to| to.chars().next()) {
        Some('U' | 'L') => mentions(messages)
            .into_iter()
            .map(|path| {
                Finding::warning(
                    format!("/messages{path}"),
                    "mentions somebody in a chat with one user",
                )
                .hint("LINE takes mentions in group and multi-person chats only")
            })
            .collect(),
        Some('C' | 'R') => with_index(items(messages))
            .filter(|(_, message)| member(message, "trackingId").is_some())
            .map(|(index, _)| {
                Finding::warning(
                    format!("/messages/{index}/trackingId"),
                    "cannot be used in group and multi-person chats",
                )
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The paths of the mentions in a list of messages.
fn mentions(messages: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    for (index, message) in with_index(items(messages)) {
        let substitutions = member(message, "substitution").and_then(Value::as_object);
        for (name, substitution) in substitutions.into_iter().flatten() {
            if kind(substitution) == Some("mention") {
                paths.push(format!("/{index}/substitution{}", step(name)));
            }
        }
    }
    paths
}

fn distinct_user_ids(ids: &Value) -> Vec<Finding> {
    let mut seen = HashMap::new();
    let mut findings = Vec::new();
    for (index, id) in with_index(items(ids)).filter_map(|(index, id)| Some((index, id.as_str()?)))
    {
        if let Some(first) = seen.get(id) {
            findings.push(
                Finding::warning(
                    format!("/{index}"),
                    format!("is the same user as at index {first}"),
                )
                .hint("name each user once; LINE does not say what it does with the second"),
            );
        } else {
            seen.insert(id, index);
        }
    }
    findings
}

fn distinct_item_keys(body: &Value) -> Vec<Finding> {
    let emphasized = member(body, "emphasizedItem").into_iter();
    let emphasized = emphasized.map(|item| ("/emphasizedItem/itemKey".to_owned(), item));
    let listed = with_index(member(body, "items").map_or(&[], items));
    let listed = listed.map(|(index, item)| (format!("/items/{index}/itemKey"), item));
    let mut seen = HashMap::new();
    let mut findings = Vec::new();
    for (path, item) in emphasized.chain(listed) {
        let Some(key) = text(item, "itemKey") else {
            continue;
        };
        match seen.entry(key) {
            Entry::Occupied(first) => findings.push(
                Finding::violation(path, format!("is the same item as {}", first.get()))
                    .hint("LINE shows each item once in a message: leave one of them out"),
            ),
            Entry::Vacant(first) => drop(first.insert(path)),
        }
    }
    findings
}

// Texts. What the schema finds too long or too many is shortened first, and not looked at here.

/// UTF-16 units of a text.
const MAX_TEXT: usize = 5000;
/// LINE emojis of a text.
const MAX_EMOJIS: usize = 20;
/// Substitutions of a text.
const MAX_SUBSTITUTIONS: usize = 100;

fn emoji_places(message: &Value) -> Vec<Finding> {
    let Some(text) = text(message, "text") else {
        return Vec::new();
    };
    let emojis = member(message, "emojis").map_or(&[][..], items);
    if emojis.is_empty() || emojis.len() > MAX_EMOJIS {
        return Vec::new();
    }
    let mut offset = 0;
    let mut places = Vec::new();
    for (point, character) in text.chars().enumerate() {
        if character == '$' {
            places.push((offset, point as u64));
        }
        offset += character.len_utf16() as u64;
    }
    let mut taken = HashSet::new();
    let mut findings = Vec::new();
    for (number, emoji) in with_index(emojis) {
        let Some(index) = member(emoji, "index").and_then(Value::as_u64) else {
            continue;
        };
        let path = format!("/emojis/{number}/index");
        let is_new = taken.insert(index);
        if places
            .binary_search_by_key(&index, |place| place.0)
            .is_err()
        {
            findings.push(not_a_dollar(path, index, &places));
        } else if !is_new {
            let message = format!("points at the same `$` as another emoji, {index}");
            findings.push(Finding::violation(path, message).hint("give each emoji its own `$`"));
        }
    }
    findings
}

/// `places`: of each `$`, in UTF-16 units and in code points, ascending.
fn not_a_dollar(path: String, index: u64, places: &[(u64, u64)]) -> Finding {
    let finding =
        Finding::violation(path, "does not point at a `$` of the text").found(index.to_string());
    if places.is_empty() {
        return finding.expected("a `$` in the text at this place");
    }
    let shown = places.iter().take(MAX_EMOJIS);
    let mut offsets: Vec<String> = shown.map(|(offset, _)| offset.to_string()).collect();
    if places.len() > MAX_EMOJIS {
        offsets.push("…".to_owned());
    }
    let finding = finding.expected(format!("the place of a `$`: {}", offsets.join(", ")));
    match places.binary_search_by_key(&index, |place| place.1) {
        Ok(place) => finding.hint(format!(
            "count UTF-16 units (🍎 counts 2): that `$` is at {}",
            places[place].0
        )),
        Err(_) => finding,
    }
}

fn text_v2_places(message: &Value) -> Vec<Finding> {
    let Some(text) = text(message, "text") else {
        return Vec::new();
    };
    let empty = Map::new();
    let substitutions = member(message, "substitution")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let mut findings = Vec::new();
    if substitutions.len() <= MAX_SUBSTITUTIONS && Unit::Utf16.count(text) <= MAX_TEXT {
        match places(text) {
            Err(brace) => findings.push(
                Finding::violation("/text", format!("has a `{brace}` without its partner"))
                    .hint("write `{{` and `}}` for braces that are part of the text"),
            ),
            Ok(names) => findings.extend(misplaced(&names, substitutions)),
        }
    }
    for noun in ["mention", "emoji"] {
        let count = substitutions
            .values()
            .filter(|value| kind(value) == Some(noun))
            .count();
        if count > 20 {
            let finding = Finding::violation("/substitution", format!("has more than 20 {noun}s"));
            findings.push(
                finding
                    .expected(format!("at most 20 {noun}s"))
                    .found(counted(count, noun)),
            );
        }
    }
    findings
}

/// What is wrong between the names in a text and its substitutions.
fn misplaced(used: &[&str], substitutions: &Map<String, Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let named: HashSet<&str> = used.iter().copied().collect();
    let mut told = HashSet::new();
    for name in used {
        if !substitutions.contains_key(*name) && told.insert(*name) {
            findings.push(without_substitution(name, substitutions));
        }
    }
    // Beside a name that has none, another may be what was meant.
    let are_all_there = findings.is_empty();
    for name in substitutions.keys() {
        if are_all_there && !named.contains(name.as_str()) {
            let path = format!("/substitution{}", step(name));
            let message = format!("is not used: the text has no `{{{name}}}`");
            findings.push(Finding::warning(path, message));
        }
    }
    let mentioned = |name: &&&str| substitutions.get(**name).and_then(kind) == Some("mention");
    let places = used.iter().filter(mentioned).count();
    if places > 20 {
        let finding = Finding::warning("/text", "has more than 20 places of mentions");
        findings.push(finding.hint(
            "LINE substitutes up to 20 in a message, and does not say whether it counts places",
        ));
    }
    findings
}

fn without_substitution(name: &str, substitutions: &Map<String, Value>) -> Finding {
    let message = format!("names `{{{name}}}`, which `substitution` does not have");
    let finding = Finding::violation("/text", message);
    match nearest(name, substitutions.keys().map(String::as_str)) {
        Some(near) => finding.hint(format!("did you mean `{{{near}}}`?")),
        None => finding.hint("add it, or write `{{` and `}}` for braces that are part of the text"),
    }
}

/// The names in braces, or the brace that has no partner.
fn places(text: &str) -> Result<Vec<&str>, char> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
        if let Some(literal) = after.strip_prefix(brace) {
            rest = literal;
        } else if brace == "}" {
            return Err('}');
        } else {
            match after.find(['{', '}']) {
                Some(end) if after[end..].starts_with('}') => {
                    names.push(&after[..end]);
                    rest = &after[end + 1..];
                }
                _ => return Err('{'),
            }
        }
    }
    Ok(names)
}

// Actions and templates.

fn postback_texts(action: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if member(action, "displayText").is_some() && member(action, "text").is_some() {
        findings.push(
            Finding::violation("/text", "stands beside `displayText`")
                .expected("`displayText` or `text`")
                .hint("keep `displayText`; LINE has deprecated `text`")
                .beside("/displayText"),
        );
    }
    let opens_keyboard = text(action, "inputOption") == Some("openKeyboard");
    if member(action, "fillInText").is_some() && !opens_keyboard {
        findings.push(
            Finding::warning("/fillInText", "has no effect")
                .hint("it needs `inputOption` `openKeyboard`"),
        );
    }
    findings
}

fn text_beside_image_or_title(template: &Value) -> Vec<Finding> {
    const MAX_SHOWN: usize = 60;
    let alone = if kind(template) == Some("buttons") {
        160
    } else {
        120
    };
    let beside = ["thumbnailImageUrl", "title"]
        .into_iter()
        .find(|name| member(template, name).is_some());
    let text = text(template, "text");
    let (Some(beside), Some(text)) = (beside, text) else {
        return Vec::new();
    };
    let (characters, points) = (Unit::Graphemes.count(text), text.chars().count());
    let count = counted(characters, "character");
    // Beyond the limit without an image or a title, the schema's own limit has already spoken.
    let finding = if (MAX_SHOWN + 1..=alone).contains(&characters) {
        let message = format!("is longer than {MAX_SHOWN} characters beside `{beside}`");
        Finding::violation("/text", message).found(count)
    } else if characters <= MAX_SHOWN && (MAX_SHOWN + 1..=alone).contains(&points) {
        let message = format!("may be longer than {MAX_SHOWN} characters beside `{beside}`");
        Finding::warning("/text", message).found(format!("{count}, {points} code points"))
    } else {
        return Vec::new();
    };
    let limit = format!("at most {MAX_SHOWN} characters beside an image or a title");
    vec![finding.expected(limit).beside(step(beside))]
}

fn columns_alike(columns: &Value) -> Vec<Finding> {
    let columns = items(columns);
    let Some((first, others)) = columns.split_first() else {
        return Vec::new();
    };
    let actions = |column: &Value| {
        member(column, "actions")
            .and_then(Value::as_array)
            .map(Vec::len)
    };
    let mut findings = Vec::new();
    for (index, column) in with_index(others) {
        let index = index + 1;
        if let (Some(here), Some(there)) = (actions(column), actions(first))
            && here != there
        {
            let message = "has another number of actions than the first column";
            let finding = Finding::violation(format!("/{index}/actions"), message);
            findings.push(
                finding
                    .expected(counted(there, "action"))
                    .found(counted(here, "action"))
                    .beside("/0/actions"),
            );
        }
        for name in ["thumbnailImageUrl", "title"] {
            let (here, there) = (
                member(column, name).is_some(),
                member(first, name).is_some(),
            );
            if here != there {
                let which = if there { "lacks the" } else { "has a" };
                let than = if there { "has" } else { "lacks" };
                let message = format!("{which} `{name}` that the first column {than}");
                let holder = if there { 0 } else { index };
                findings.push(
                    Finding::violation(format!("/{index}"), message)
                        .hint(format!("give all columns a `{name}`, or none"))
                        .beside(format!("/{holder}/{name}")),
                );
            }
        }
    }
    findings
}

fn areas_within_base(imagemap: &Value) -> Vec<Finding> {
    let Some(height) = imagemap.pointer("/baseSize/height").and_then(Value::as_u64) else {
        return Vec::new();
    };
    let actions = member(imagemap, "actions").map_or(&[][..], items);
    let areas =
        with_index(actions).map(|(index, action)| (format!("/actions/{index}/area"), action));
    let video = member(imagemap, "video").map(|video| ("/video/area".to_owned(), video));
    areas
        .chain(video)
        .filter(|(_, holder)| {
            let side = |name: &str| member(member(holder, "area")?, name)?.as_u64();
            let end = |start, length| Some(side(start)?.saturating_add(side(length)?));
            end("x", "width").is_some_and(|end| end > 1040)
                || end("y", "height").is_some_and(|end| end > height)
        })
        .map(|(path, _)| {
            Finding::warning(path, "reaches beyond the picture")
                .expected(format!("an area within 1040 x {height} pixels"))
        })
        .collect()
}

// Flex Messages.

fn animated_images(container: &Value) -> Vec<Finding> {
    /// Those of a container or component, and of the components in it.
    fn count(value: &Value) -> usize {
        let parts: &[&str] = match kind(value) {
            Some("image") => {
                return usize::from(member(value, "animated") == Some(&Value::Bool(true)));
            }
            Some("carousel" | "box") => &["contents"],
            Some("bubble") => &["header", "hero", "body", "footer"],
            Some("video") => &["altContent"],
            _ => return 0,
        };
        let members = value.as_object().into_iter().flatten();
        let parts = members.filter(|(name, _)| parts.contains(&name.as_str()));
        parts
            .map(|(_, part)| match part {
                Value::Array(components) => components.iter().map(count).sum(),
                component => count(component),
            })
            .sum()
    }
    let images = count(container);
    if images <= 10 {
        return Vec::new();
    }
    let finding = Finding::violation("", "has more than 10 animated images");
    vec![
        finding
            .expected("at most 10 animated images")
            .found(counted(images, "animated image")),
    ]
}

/// `None` where `size` is no text.
fn bubble_size(bubble: &Value) -> Option<&str> {
    member(bubble, "size").map_or(Some("mega"), Value::as_str)
}

fn bubbles_alike(bubbles: &Value) -> Vec<Finding> {
    let bubbles = items(bubbles);
    let Some(first) = bubbles.first().and_then(bubble_size) else {
        return Vec::new();
    };
    with_index(bubbles)
        .filter(|(_, bubble)| bubble_size(bubble).is_some_and(|size| size != first))
        .map(|(index, bubble)| {
            let (path, found) = match member(bubble, "size") {
                Some(size) => (format!("/{index}/size"), shortened(size)),
                None => (
                    format!("/{index}"),
                    "no `size`, which means `mega`".to_owned(),
                ),
            };
            Finding::violation(path, "has another size than the first bubble")
                .expected(format!("`{first}`, as the first bubble"))
                .found(found)
        })
        .collect()
}

fn no_video_in_carousel(bubbles: &Value) -> Vec<Finding> {
    with_index(items(bubbles))
        .filter(|(_, bubble)| has_video(bubble))
        .map(|(index, _)| {
            Finding::violation(format!("/{index}/hero"), "is a video inside a carousel")
                .expected("a box or an image")
                .hint("send the bubble with the video on its own")
        })
        .collect()
}

fn has_video(bubble: &Value) -> bool {
    member(bubble, "hero").and_then(kind) == Some("video")
}

fn video_bubble_size(bubble: &Value) -> Vec<Finding> {
    let small = |size: &&str| ["nano", "micro", "deca", "hecto"].contains(size);
    let Some(size) = bubble_size(bubble).filter(small) else {
        return Vec::new();
    };
    if !has_video(bubble) {
        return Vec::new();
    }
    let finding = Finding::violation("/size", "is too small for a video");
    vec![
        finding
            .expected("`kilo`, `mega` or `giga`")
            .found(format!("\"{size}\"")),
    ]
}

fn first_child_not_absolute(bubble: &Value) -> Vec<Finding> {
    let is_absolute = |block: &str| {
        let contents = member(bubble, block).and_then(|block| member(block, "contents"));
        let first = contents.and_then(|contents| items(contents).first());
        first.and_then(|first| text(first, "position")) == Some("absolute")
    };
    ["header", "hero", "body", "footer"]
        .into_iter()
        .filter(|block| is_absolute(block))
        .map(|block| {
            let path = format!("/{block}/contents/0/position");
            Finding::warning(path, "is `absolute` on the first component of a block")
                .hint("LINE does not allow it there; put a component before it")
        })
        .collect()
}

fn baseline_children(components: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, component) in with_index(items(components)) {
        let names = component.as_object().into_iter().flat_map(Map::keys);
        for name in names.filter(|name| ["gravity", "offsetBottom"].contains(&name.as_str())) {
            findings.push(
                Finding::warning(
                    format!("/{index}/{name}"),
                    "cannot be used in a baseline box",
                )
                .hint("use a horizontal box, or leave it out"),
            );
        }
    }
    findings
}

fn ratio_bounds(ratio: &Value) -> Vec<Finding> {
    let Some((width, height)) = ratio.as_str().and_then(|ratio| ratio.split_once(':')) else {
        return Vec::new();
    };
    let (Ok(width), Ok(height)) = (width.parse::<f64>(), height.parse::<f64>()) else {
        return Vec::new();
    };
    let bounds = 1.0..=100_000.0;
    let message = if !bounds.contains(&width) || !bounds.contains(&height) {
        "has a side that is not from 1 to 100000"
    } else if height > 3.0 * width {
        "is higher than 3 times its width"
    } else {
        return Vec::new();
    };
    let finding = Finding::violation("", message);
    vec![
        finding
            .expected("width:height, such as 20:13")
            .found(shortened(ratio)),
    ]
}

// Narrowcasts.

fn recipient_count(recipient: &Value) -> Vec<Finding> {
    at_most_ten(recipient, "audiences and earlier narrowcasts")
}

fn demographic_count(filter: &Value) -> Vec<Finding> {
    at_most_ten(filter, "conditions")
}

fn at_most_ten(tree: &Value, plural: &str) -> Vec<Finding> {
    let leaves = leaves(tree);
    if leaves <= 10 {
        return Vec::new();
    }
    let finding = Finding::violation("", format!("has more than 10 {plural}"));
    vec![
        finding
            .expected(format!("at most 10 {plural}"))
            .found(format!("{leaves} {plural}")),
    ]
}

fn leaves(node: &Value) -> usize {
    if kind(node) != Some("operator") {
        return usize::from(node.is_object());
    }
    let lists = ["and", "or"]
        .into_iter()
        .filter_map(|name| member(node, name));
    let listed: usize = lists.flat_map(items).map(leaves).sum();
    listed + member(node, "not").map_or(0, leaves)
}

fn partial_delivery_needs_quota(limit: &Value) -> Vec<Finding> {
    let set = |name: &str| member(limit, name) == Some(&Value::Bool(true));
    if !set("forbidPartialDelivery") || set("upToRemainingQuota") {
        return Vec::new();
    }
    vec![
        Finding::violation("/forbidPartialDelivery", "needs `upToRemainingQuota`")
            .hint("set `upToRemainingQuota` to true as well")
            .beside("/upToRemainingQuota"),
    ]
}

// What the rules share.

fn with_index(values: &[Value]) -> impl Iterator<Item = (usize, &Value)> {
    values.iter().enumerate()
}
