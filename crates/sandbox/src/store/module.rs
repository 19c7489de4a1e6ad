//! The accounts that the module channel is attached to.

use std::collections::HashSet;

/// The accounts that the module channel is attached to, each by the number of its bot.
#[derive(Debug)]
pub(crate) struct AttachedBots {
    pub(crate) bots: Vec<u64>,
    pub(crate) next: u64,
    /// An authorization code can be used once.
    pub(crate) used_codes: HashSet<String>,
}

impl Default for AttachedBots {
    /// The sandbox's own account is attached from the start.
    fn default() -> Self {
        Self {
            bots: vec![0],
            next: 1,
            used_codes: HashSet::new(),
        }
    }
}
