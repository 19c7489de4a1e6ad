//! Template messages: buttons, confirm, carousel and image carousel. The lengths of texts that
//! depend on an image or a title are here; the actions' own rules are not.

use super::action::{self, Slot};
use super::count::Unit;
use super::subject::{Need, Style, Subject};

pub(super) fn judge(message: &Subject<'_>, index: usize) {
    message.text("altText", Need::Required, 1500, Unit::Utf16);
    let Some(template) = message.object("template", Need::Required) else {
        return;
    };
    let template = template.restyled(Style::Template(index), "template");
    let kinds = ["buttons", "confirm", "carousel", "image_carousel"];
    match template.choice("type", Need::Required, &kinds) {
        Some("buttons") => {
            look(&template);
            card(&template, 160, 4);
        }
        Some("confirm") => {
            template.text("text", Need::Required, 240, Unit::Grapheme);
            actions(&template, 2, 2);
        }
        Some("carousel") => {
            look(&template);
            for column in template.items("columns", Need::Required, 1..=10) {
                card(&column, 120, 3);
            }
        }
        Some(_) => {
            for column in template.items("columns", Need::Required, 1..=10) {
                column.https("imageUrl", Need::Required);
                if let Some(action) = column.object("action", Need::Required) {
                    action::judge(&action, Slot::ImageCarousel);
                }
            }
        }
        None => {}
    }
}

fn look(template: &Subject<'_>) {
    template.choice("imageAspectRatio", Need::Optional, &["rectangle", "square"]);
    template.choice("imageSize", Need::Optional, &["cover", "contain"]);
}

/// A buttons template, or one column of a carousel.
fn card(card: &Subject<'_>, longest_text: usize, most_actions: usize) {
    card.https("thumbnailImageUrl", Need::Optional);
    card.string("imageBackgroundColor", Need::Optional);
    let title = card.text("title", Need::Optional, 40, Unit::Grapheme);
    let decorated = title.is_some() || card.get("thumbnailImageUrl", Need::Optional).is_some();
    let most = if decorated { 60 } else { longest_text };
    card.text("text", Need::Required, most, Unit::Grapheme);
    if let Some(action) = card.object("defaultAction", Need::Optional) {
        // Whether its label is needed is not settled; it is never shown.
        action::judge(&action, Slot::FlexOther);
    }
    actions(card, 1, most_actions);
}

fn actions(holder: &Subject<'_>, least: usize, most: usize) {
    for action in holder.items("actions", Need::Required, least..=most) {
        action::judge(&action, Slot::Template);
    }
}
