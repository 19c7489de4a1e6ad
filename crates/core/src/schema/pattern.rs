//! Runs a pattern as a DFA over bytes, whose transition table the build script generates.

/// State 0 is where nothing can match any more, 1 where it has matched, 2 the first.
pub(super) struct Pattern {
    /// The class of each byte.
    pub(super) classes: &'static [u8; 256],
    /// How many classes there are.
    pub(super) width: usize,
    /// The next state, by state and class.
    pub(super) next: &'static [u8],
    /// Whether a text that ends in a state matches.
    pub(super) at_end: &'static [bool],
}

impl Pattern {
    /// Whether the pattern occurs in the text.
    pub(super) fn is_match(&self, text: &str) -> bool {
        let mut state = 2;
        for byte in text.bytes() {
            let class = usize::from(self.classes[usize::from(byte)]);
            state = usize::from(self.next[state * self.width + class]);
            if state < 2 {
                return state == 1;
            }
        }
        self.at_end[state]
    }
}
