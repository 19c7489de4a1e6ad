//! The people a sandbox knows: friends by number, the account's own bots, profiles, the list of
//! followers and link tokens. User IDs are worked out, not stored, so a million friends cost nothing.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::crypto::fresh_hex;
use super::exchange::Answer;
use super::pages;
use super::routes::Route;
use super::send::is_user;
use super::settings::Settings;
use super::state::Turn;

pub(super) const ROUTES: &[Route] = &[
    Route::bot("GET", "/v2/bot/profile/{userId}", |turn| {
        profile(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("GET", "/v2/bot/followers/ids", |turn| {
        followers(turn).unwrap_or_else(|refusal| refusal)
    }),
    Route::bot("POST", "/v2/bot/user/{userId}/linkToken", |turn| {
        link_token(turn).unwrap_or_else(|refusal| refusal)
    }),
];

/// The first friend's ID, without the `U`; the others' are its multiples. It is odd, so that every
/// number has an ID of its own, and every ID leads back to its number.
const STEP: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
const BACK: u128 = inverse(STEP);

/// Where the numbers of bots begin; no friend's goes so far.
const FIRST_BOT: u64 = 1 << 32;

/// The inverse of an odd number modulo 2^128, by Newton: each round doubles the bits that are right.
const fn inverse(odd: u128) -> u128 {
    let (mut found, mut bits) = (odd, 3);
    while bits < 128 {
        found = found.wrapping_mul(2_u128.wrapping_sub(odd.wrapping_mul(found)));
        bits *= 2;
    }
    found
}

/// The ID of the person with this number, counted from 0.
pub(super) fn user_id(number: u64) -> String {
    format!("U{:032x}", STEP.wrapping_mul(u128::from(number) + 1))
}

/// The number of the person, or bot, with this ID.
pub(super) fn number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix('U').filter(|_| is_user(id))?;
    let value = u128::from_str_radix(digits, 16).ok()?;
    u64::try_from(value.wrapping_mul(BACK).checked_sub(1)?).ok()
}

/// The user ID of an account's bot; the sandbox's own is number 0.
pub(super) fn bot_id(number: u64) -> String {
    user_id(FIRST_BOT + number)
}

/// The number of the bot with this user ID.
pub(super) fn bot_number(id: &str) -> Option<u64> {
    number(id)?.checked_sub(FIRST_BOT)
}

/// Who became a friend, or ceased to be one, since the sandbox began.
#[derive(Debug, Default)]
pub(super) struct Friends {
    /// Whether they are friends now.
    changed: HashMap<String, bool>,
    /// Those who were none at the beginning, in the order in which they first came.
    new: Vec<String>,
    is_new: HashSet<String>,
    /// What some of them say of themselves.
    profiles: HashMap<String, Value>,
}

impl Friends {
    /// Someone adds the account.
    pub(super) fn add(&mut self, settings: &Settings, id: String, profile: Option<Value>) {
        self.profiles
            .extend(profile.map(|profile| (id.clone(), profile)));
        self.changed.insert(id.clone(), true);
        if !is_old_friend(settings, &id) && self.is_new.insert(id.clone()) {
            self.new.push(id);
        }
    }

    /// Someone blocks the account.
    pub(super) fn remove(&mut self, id: String) {
        self.changed.insert(id, false);
    }

    /// Whether someone has blocked the account.
    pub(super) fn has_left(&self, id: &str) -> bool {
        self.changed.get(id) == Some(&false)
    }
}

/// Whether someone was a friend when the sandbox began.
fn is_old_friend(settings: &Settings, id: &str) -> bool {
    number(id).is_some_and(|number| number < settings.friends) && !settings.unreachable.contains(id)
}

/// Whether someone is a friend who has not blocked the account.
pub(super) fn is_friend(turn: &Turn<'_>, id: &str) -> bool {
    let changed = turn.state.friends.changed.get(id);
    changed.map_or_else(|| is_old_friend(turn.settings, id), |is_one| *is_one)
}

/// How many friends there are.
pub(super) fn friends(turn: &Turn<'_>) -> u64 {
    let mut count = turn.settings.friends;
    for (id, is_one) in &turn.state.friends.changed {
        match (
            number(id).is_some_and(|number| number < turn.settings.friends),
            is_one,
        ) {
            (true, false) => count = count.saturating_sub(1),
            (false, true) => count += 1,
            _ => {}
        }
    }
    count
}

/// The profile that members of a chat show, whether or not they are friends.
pub(super) fn member_profile(number: u64) -> Value {
    let mut profile = json!({
        "displayName": format!("Person {}", number + 1),
        "userId": user_id(number),
    });
    // What LINE leaves out of some profiles, every other person here leaves out.
    if number.is_multiple_of(2) {
        profile["pictureUrl"] = json!(format!("https://profile.line-scdn.net/sandbox{number}"));
    }
    profile
}

/// The user ID in the path.
pub(super) fn user_in_path(turn: &Turn<'_>) -> Result<String, Answer> {
    let id = turn.parameter("userId");
    if is_user(id) {
        return Ok(id.to_owned());
    }
    Err(Answer::invalid_parameter("userId"))
}

/// Refuses what only verified and premium accounts may do.
pub(super) fn verified_only(settings: &Settings) -> Result<(), Answer> {
    if settings.verified {
        return Ok(());
    }
    let text = "Access to this API is not available for your account";
    Err(Answer::message(403, text))
}

fn profile(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    let id = user_in_path(turn)?;
    if !is_friend(turn, &id) {
        return Err(Answer::message(404, "Not found"));
    }
    let number = number(&id);
    let mut profile = match number {
        Some(number) => member_profile(number),
        None => json!({ "displayName": format!("Person {}", &id[1..7]), "userId": id }),
    };
    profile["language"] = json!("en");
    if number.is_some_and(|number| number.is_multiple_of(2)) {
        profile["statusMessage"] = json!("Hello, LINE!");
    }
    if let Some(own) = turn
        .state
        .friends
        .profiles
        .get(&id)
        .and_then(Value::as_object)
    {
        for (name, value) in own {
            profile[name.as_str()] = value.clone();
        }
    }
    Ok(Answer::json(200, &profile))
}

fn followers(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    verified_only(turn.settings)?;
    let limit = pages::limit(turn, 300, 1000)?;
    let old = turn.settings.friends;
    let new = u64::try_from(turn.state.friends.new.len()).unwrap_or_default();
    pages::answer(turn, "userIds", limit, old + new, |turn, place| {
        let id = match place.checked_sub(old) {
            None => user_id(place),
            Some(place) => turn
                .state
                .friends
                .new
                .get(usize::try_from(place).ok()?)?
                .clone(),
        };
        is_friend(turn, &id).then(|| json!(id))
    })
}

fn link_token(turn: &mut Turn<'_>) -> Result<Answer, Answer> {
    user_in_path(turn)?;
    Ok(Answer::json(200, &json!({ "linkToken": fresh_hex() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_an_id_that_leads_back() {
        assert_eq!(user_id(0), "U0123456789abcdef0123456789abcdef");
        for n in [0, 1, 99_999, u64::from(u32::MAX), u64::MAX] {
            assert!(is_user(&user_id(n)));
            assert_eq!(number(&user_id(n)), Some(n));
        }
        assert_eq!(bot_number(&bot_id(3)), Some(3));
        assert_eq!(bot_number(&user_id(3)), None);
    }

    #[test]
    fn other_ids_are_nobodys() {
        let nobody = format!("U{}", "0".repeat(32));
        for id in [nobody.as_str(), "U4af4980629", "Cabc", ""] {
            assert_eq!(number(id), None, "{id}");
        }
    }
}
