//! LINE's identifiers: their formats, new ones, and the user IDs of the people in a sandbox. User IDs
//! are computed from numbers, not stored, so that a million friends cost no memory.

/// Whether the text is a letter and 32 lower-case hex digits, as the ID of any user, group or room.
pub(crate) fn has_id_format(id: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    id.len() == 33 && id.bytes().skip(1).all(hex)
}

/// Whether the text is a user ID: `U` and 32 lower-case hex digits.
pub(crate) fn is_user_id(id: &str) -> bool {
    id.starts_with('U') && has_id_format(id)
}

/// Whether the text is a module channel's user ID: `LU…-U…`.
pub(crate) fn is_module_user_id(id: &str) -> bool {
    let halves = id.strip_prefix('L').and_then(|rest| rest.split_once('-'));
    halves.is_some_and(|(left, right)| is_user_id(left) && is_user_id(right))
}

/// Whether messages can be sent to an ID as to a user.
pub(crate) fn is_recipient_id(id: &str) -> bool {
    is_user_id(id) || is_module_user_id(id)
}

/// The digits of the first friend's ID; the others' are its multiples modulo 2^128. It is odd, so the
/// multiplication can be inverted.
const STEP: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
const STEP_INVERSE: u128 = inverse(STEP);

/// The number of the first bot; friends' numbers are lower.
const FIRST_BOT: u64 = 1 << 32;

/// The inverse of an odd number modulo 2^128, by Newton's method: each round doubles the correct bits.
const fn inverse(odd: u128) -> u128 {
    let (mut found, mut bits) = (odd, 3);
    while bits < 128 {
        found = found.wrapping_mul(2_u128.wrapping_sub(odd.wrapping_mul(found)));
        bits *= 2;
    }
    found
}

/// The user ID of the person with this number, counted from 0.
pub(crate) fn user_id(number: u64) -> String {
    format!("U{:032x}", STEP.wrapping_mul(u128::from(number) + 1))
}

/// The number of the person or bot with this user ID.
pub(crate) fn person_number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix('U').filter(|_| is_user_id(id))?;
    let value = u128::from_str_radix(digits, 16).ok()?;
    u64::try_from(value.wrapping_mul(STEP_INVERSE).checked_sub(1)?).ok()
}

/// The user ID of an account's bot; the sandbox's own is number 0.
pub(crate) fn bot_id(number: u64) -> String {
    user_id(FIRST_BOT + number)
}

/// The number of the bot with this user ID.
pub(crate) fn bot_number(id: &str) -> Option<u64> {
    person_number(id)?.checked_sub(FIRST_BOT)
}

/// A random UUID.
pub(crate) fn new_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// 32 random hex digits.
pub(crate) fn new_hex() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Whether the text is a UUID in its usual form: 8-4-4-4-12 hex digits.
pub(crate) fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == 5
        && groups.iter().zip([8, 4, 4, 4, 12]).all(|(group, length)| {
            group.len() == length && group.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// A UUID in its usual form as a number.
pub(crate) fn uuid_number(text: &str) -> Option<u128> {
    u128::from_str_radix(&text.replace('-', ""), 16)
        .ok()
        .filter(|_| is_uuid(text))
}

/// The UUID of a number, in its usual form.
pub(crate) fn uuid_text(number: u128) -> String {
    uuid::Uuid::from_u128(number).to_string()
}

/// A new ULID: the time in milliseconds and 80 random bits, in Crockford's base 32.
pub(crate) fn new_ulid(millis: u64) -> String {
    const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let random = uuid::Uuid::new_v4().as_u128() & ((1 << 62) - 1);
    let more = uuid::Uuid::new_v4().as_u128() & ((1 << 18) - 1);
    let number = u128::from(millis) << 80 | random << 18 | more;
    (0..26)
        .map(|index| {
            let symbol = usize::try_from(number >> (125 - 5 * index) & 31).unwrap_or_default();
            char::from(SYMBOLS[symbol])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulids_begin_with_their_time_and_differ() {
        let (first, second) = (new_ulid(1_469_918_176_385), new_ulid(1_469_918_176_385));
        assert!(
            first.starts_with("01ARYZ6S41") && first.len() == 26,
            "{first}"
        );
        assert!(second.starts_with("01ARYZ6S41") && first != second);
        assert!(new_ulid(u64::MAX >> 16).starts_with("7ZZZZZZZZZ"));
    }

    #[test]
    fn a_uuid_has_five_groups_of_hex() {
        assert!(is_uuid("123e4567-e89b-12d3-a456-426614174000"));
        assert!(is_uuid(&new_uuid()));
        for wrong in ["abc", "", "urn:uuid:123e4567-e89b-12d3-a456-426614174000"] {
            assert!(!is_uuid(wrong), "{wrong}");
        }
        assert!(!is_uuid("123e4567e89b12d3a456426614174000"));
        let key = "123E4567-e89b-12d3-a456-426614174000";
        let number = uuid_number(key).unwrap();
        assert_eq!(uuid_text(number), key.to_ascii_lowercase());
        assert_eq!(uuid_number("123e4567e89b12d3a456426614174000"), None);
    }

    #[test]
    fn every_number_has_an_id_that_leads_back() {
        assert_eq!(user_id(0), "U0123456789abcdef0123456789abcdef");
        for n in [0, 1, 99_999, u64::from(u32::MAX), u64::MAX] {
            assert!(is_user_id(&user_id(n)));
            assert_eq!(person_number(&user_id(n)), Some(n));
        }
        assert_eq!(bot_number(&bot_id(3)), Some(3));
        assert_eq!(bot_number(&user_id(3)), None);
    }

    #[test]
    fn other_ids_are_nobodys() {
        let nobody = format!("U{}", "0".repeat(32));
        for id in [nobody.as_str(), "U4af4980629", "Cabc", ""] {
            assert_eq!(person_number(id), None, "{id}");
        }
    }
}
