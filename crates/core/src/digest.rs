//! SHA-256, of files as they pass by and of phone numbers as LINE wants them. It reads nothing
//! itself.

use std::fmt::Write as _;

use sha2::Digest as _;

/// The SHA-256 of bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct Sha256 {
    state: sha2::Sha256,
    length: u64,
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sha256")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Sha256 {
    /// Takes in the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// How many bytes it has taken in.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The digest in lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.state.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The SHA-256 of bytes, in lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = Sha256::default();
    digest.update(bytes);
    digest.hex()
}

/// A phone number in the form in which LINE takes it: the SHA-256 of its E.164 form. Spaces,
/// hyphens and parentheses are left out; 64 hexadecimal digits are taken for that form already.
/// `None` where the text is neither.
#[must_use]
pub fn of_phone_number(text: &str) -> Option<String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(text.to_owned());
    }
    let bare: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.'))
        .collect();
    let digits = bare.strip_prefix('+')?;
    // E.164 has a country code that does not start with 0, and 15 digits at most.
    let well_formed = (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| sha256(bare.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::of_phone_number;

    #[test]
    fn a_phone_number_becomes_lines_form() {
        let digest = "d41e0ad70dddfeb68f149ad6fc61574b9c5780ab7bcb2fba5517771ffbb2409c";
        for text in [
            "+818000001234",
            "+81 80-0000-1234",
            "+81 (80) 0000 1234",
            digest,
        ] {
            assert_eq!(of_phone_number(text).as_deref(), Some(digest), "{text}");
        }
        for text in [
            "08000001234",
            "818000001234",
            "+0818000001234",
            "+81a",
            "",
            "+1",
        ] {
            assert_eq!(of_phone_number(text), None, "{text}");
        }
    }
}
