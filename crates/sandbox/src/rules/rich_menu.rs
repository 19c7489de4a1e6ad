//! Rich menu objects: size, texts and tappable areas.

use super::action::{self, ActionSlot};
use super::length::LengthUnit;
use super::object::{Need, Object};

const MAX_COORDINATE: i64 = 2_147_483_647;

pub(super) fn check(menu: &Object<'_>) {
    if let Some(size) = menu.object("size", Need::Required) {
        let width = size.integer("width", Need::Required, 800..=2500);
        let height = size.integer("height", Need::Required, 250..=i64::MAX);
        if let (Some(width), Some(height)) = (width, height)
            && width.saturating_mul(100) < height.saturating_mul(145)
        {
            menu.reject("size", "The aspect ratio must be 1.45 or more");
        }
    }
    menu.boolean("selected", Need::Required);
    menu.text("name", Need::Required, 300, LengthUnit::Grapheme);
    menu.text("chatBarText", Need::Required, 14, LengthUnit::Grapheme);
    for area in menu.items("areas", Need::Required, 0..=20) {
        if let Some(bounds) = area.object("bounds", Need::Required) {
            for (key, least) in [("x", 0), ("y", 0), ("width", 1), ("height", 1)] {
                bounds.integer(key, Need::Required, least..=MAX_COORDINATE);
            }
        }
        if let Some(action) = area.object("action", Need::Required) {
            action::check(&action, ActionSlot::RichMenu);
        }
    }
}
