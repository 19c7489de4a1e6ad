//! Template messages: buttons, confirm, carousel and image carousel.

use serde_json::Value;

use super::action::{self, ActionSlot};
use super::length::LengthUnit;
use super::object::{Need, Object, PathStyle};

pub(super) fn check(message: &Object<'_>, index: usize) {
    message.text("altText", Need::Required, 1500, LengthUnit::Utf16);
    let Some(template) = message.object("template", Need::Required) else {
        return;
    };
    let template = template.with_style(PathStyle::Template(index), "template");
    let kinds = ["buttons", "confirm", "carousel", "image_carousel"];
    match template.choice("type", Need::Required, &kinds) {
        Some("buttons") => {
            image_options(&template);
            card(&template, 160, 4);
        }
        Some("confirm") => {
            template.text("text", Need::Required, 240, LengthUnit::Grapheme);
            actions(&template, 2, 2);
        }
        Some("carousel") => {
            image_options(&template);
            let columns = template.items("columns", Need::Required, 1..=10);
            for column in &columns {
                card(column, 120, 3);
            }
            columns_alike(&columns);
        }
        Some(_) => {
            for column in template.items("columns", Need::Required, 1..=10) {
                column.https("imageUrl", Need::Required);
                if let Some(action) = column.object("action", Need::Required) {
                    action::check(&action, ActionSlot::ImageCarousel);
                }
            }
        }
        None => {}
    }
}

fn image_options(template: &Object<'_>) {
    template.choice("imageAspectRatio", Need::Optional, &["rectangle", "square"]);
    template.choice("imageSize", Need::Optional, &["cover", "contain"]);
}

/// LINE refuses a carousel whose columns differ in what they have.
fn columns_alike(columns: &[Object<'_>]) {
    let actions = |column: &Object<'_>| column.fields.get("actions")?.as_array().map(Vec::len);
    for column in columns.iter().skip(1) {
        if actions(column) != actions(&columns[0]) {
            column.reject("actions", "must be the same number in all columns");
        }
        for key in ["title", "thumbnailImageUrl"] {
            let has = |column: &Object<'_>| column.get(key, Need::Optional).is_some();
            if has(column) != has(&columns[0]) {
                column.reject(key, "must be specified in all columns or in none");
            }
        }
    }
}

/// A buttons template, or one column of a carousel.
fn card(card: &Object<'_>, max_text: usize, max_actions: usize) {
    card.https("thumbnailImageUrl", Need::Optional);
    card.string("imageBackgroundColor", Need::Optional);
    let title = card.text("title", Need::Optional, 40, LengthUnit::Grapheme);
    let decorated = title.is_some() || card.get("thumbnailImageUrl", Need::Optional).is_some();
    let most = if decorated { 60 } else { max_text };
    card.text("text", Need::Required, most, LengthUnit::Grapheme);
    if let Some(action) = card.object("defaultAction", Need::Optional) {
        // LINE does not say whether its label is required; it is never shown.
        action::check(&action, ActionSlot::FlexOther);
    }
    actions(card, 1, max_actions);
}

fn actions(holder: &Object<'_>, least: usize, most: usize) {
    for action in holder.items("actions", Need::Required, least..=most) {
        action::check(&action, ActionSlot::Template);
        if let Some(label) = action.fields.get("label").and_then(Value::as_str)
            && !label.is_empty()
            && label.trim().is_empty()
        {
            action.reject("label", "May not be empty");
        }
    }
}
