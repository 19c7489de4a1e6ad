//! Rich menu objects: size, texts and tappable areas. The image, and who sees the menu, come later
//! and elsewhere.

use super::action::{self, Slot};
use super::count::Unit;
use super::subject::{Need, Subject};

const LARGEST: i64 = 2_147_483_647;

pub(super) fn judge(menu: &Subject<'_>) {
    if let Some(size) = menu.object("size", Need::Required) {
        let width = size.integer("width", Need::Required, 800..=2500);
        let height = size.integer("height", Need::Required, 250..=i64::MAX);
        if let (Some(width), Some(height)) = (width, height)
            && width.saturating_mul(100) < height.saturating_mul(145)
        {
            menu.fault("size", "The aspect ratio must be 1.45 or more");
        }
    }
    menu.boolean("selected", Need::Required);
    menu.text("name", Need::Required, 300, Unit::Grapheme);
    menu.text("chatBarText", Need::Required, 14, Unit::Grapheme);
    for area in menu.items("areas", Need::Required, 0..=20) {
        if let Some(bounds) = area.object("bounds", Need::Required) {
            for (key, least) in [("x", 0), ("y", 0), ("width", 1), ("height", 1)] {
                bounds.integer(key, Need::Required, least..=LARGEST);
            }
        }
        if let Some(action) = area.object("action", Need::Required) {
            action::judge(&action, Slot::RichMenu);
        }
    }
}
