//! Rich menus, their images and aliases, and who sees which.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::progress::Progress;

/// LINE's limit for rich menus, and for aliases.
pub(crate) const MAX_MENUS: usize = 1000;
/// How many bytes of images are kept, over all menus.
const MAX_KEPT_IMAGE_BYTES: usize = 64 * 1024 * 1024;

/// The rich menus of a channel, and who sees which.
#[derive(Debug, Default)]
pub(crate) struct RichMenus {
    /// In the order in which they were created.
    pub(crate) menus: Vec<Menu>,
    pub(crate) default: Option<String>,
    /// The menu of each user that has one, by user ID.
    pub(crate) linked: HashMap<String, String>,
    pub(crate) aliases: BTreeMap<String, String>,
    /// By the request ID under which they were accepted.
    pub(crate) batches: HashMap<String, Progress>,
    pub(crate) resume_keys: HashMap<String, SystemTime>,
}

#[derive(Debug)]
pub(crate) struct Menu {
    pub(crate) id: String,
    pub(crate) fields: Map<String, Value>,
    pub(crate) created: SystemTime,
    pub(crate) image: Option<Image>,
}

impl Menu {
    /// Whether it has an image, without which it cannot be shown.
    pub(crate) fn has_image(&self) -> bool {
        self.image.is_some()
    }

    /// The bounds of its areas, in order.
    pub(crate) fn bounds(&self) -> Vec<Value> {
        let areas = self.fields.get("areas").and_then(Value::as_array);
        let bounds = |area: &Value| area.get("bounds").cloned().unwrap_or_default();
        areas.into_iter().flatten().map(bounds).collect()
    }
}

impl RichMenus {
    pub(crate) fn get(&self, id: &str) -> Option<&Menu> {
        self.menus.iter().find(|menu| menu.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Menu> {
        self.menus.iter_mut().find(|menu| menu.id == id)
    }

    /// Forgets the content of the oldest menus' images, until the rest is few enough. The menus still
    /// have an image; it can no longer be downloaded.
    pub(crate) fn bound_images(&mut self) {
        let mut images: Vec<&mut Image> = self
            .menus
            .iter_mut()
            .filter_map(|menu| menu.image.as_mut())
            .collect();
        let mut bytes: usize = images.iter().map(|image| image.bytes.len()).sum();
        for image in &mut images {
            if bytes <= MAX_KEPT_IMAGE_BYTES {
                break;
            }
            bytes -= image.bytes.len();
            image.bytes = Vec::new();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) media_type: &'static str,
    /// Empty where they are no longer kept.
    pub(crate) bytes: Vec<u8>,
}
