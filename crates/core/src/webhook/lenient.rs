//! JSON read without complaint: what is missing or not of the expected type is absent. Texts stay
//! where they are until they are asked for. It knows no field of LINE's.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A value of which only a string or a number is of interest, as it stands in the body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Text<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(|raw| Self(Some(raw)))
    }
}

impl<'a> Text<'a> {
    /// A string's text; a number's digits, so that no large id loses any.
    pub(super) fn get(self) -> Option<Cow<'a, str>> {
        let raw = self.0?.get();
        match raw.as_bytes().first()? {
            b'"' if !raw.as_bytes().contains(&b'\\') => Some(Cow::Borrowed(&raw[1..raw.len() - 1])),
            b'"' => unescaped(raw).map(Cow::Owned),
            b'-' | b'0'..=b'9' => Some(Cow::Borrowed(raw)),
            _ => None,
        }
    }

    /// The text where there is at least one character.
    pub(super) fn filled(self) -> Option<Cow<'a, str>> {
        self.get().filter(|text| !text.is_empty())
    }

    /// The text for a comparison with LINE's own words, which need no escapes.
    pub(super) fn word(self) -> &'a str {
        let raw = self.0.map_or("", RawValue::get);
        raw.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .unwrap_or_default()
    }

    /// A number that is whole.
    pub(super) fn whole(self) -> Option<i64> {
        self.0?.get().parse().ok()
    }

    /// A number that is not negative and whole.
    pub(super) fn count(self) -> Option<u64> {
        self.0?.get().parse().ok()
    }

    /// Any finite number.
    pub(super) fn number(self) -> Option<f64> {
        let raw = self.0?.get();
        let is_number = raw.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let number = raw.parse().ok().filter(|number: &f64| number.is_finite());
        number.filter(|_| is_number)
    }

    /// `true` or `false`.
    pub(super) fn flag(self) -> Option<bool> {
        self.0?.get().parse().ok()
    }
}

/// A string with its escapes resolved. Half a surrogate pair, which no text can hold, is replaced.
fn unescaped(raw: &str) -> Option<String> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = String;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a string")
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(mended(bytes))
        }
    }
    serde_json::from_str(raw).ok().or_else(|| {
        let mut deserializer = serde_json::Deserializer::from_str(raw);
        deserializer.deserialize_bytes(Bytes).ok()
    })
}

/// UTF-8 in which half a surrogate pair takes three bytes that begin with ED and at least A0, as
/// text. Its replacement takes as many, and counts for one UTF-16 code unit as the half did.
fn mended(bytes: &[u8]) -> String {
    let mut mended = bytes.to_vec();
    for at in 1..mended.len().saturating_sub(1) {
        if mended[at - 1] == 0xED && mended[at] >= 0xA0 {
            mended[at - 1..=at + 1].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8_lossy(&mended).into_owned()
}

/// An object; the fields of anything else are all absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Object<T>(pub(super) T);

/// A list; anything else is an empty one.
#[derive(Debug, Clone)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Takes an object by its own rules and makes the default of everything else.
struct AnyObject<T>(PhantomData<T>);

/// Takes an array's items by their own rules and makes an empty list of everything else.
struct AnyList<T>(PhantomData<T>);

/// The kinds of value that a visitor is not interested in.
macro_rules! indifferent {
    ($otherwise:expr) => {
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("any value")
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($otherwise)
        }
    };
}

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for AnyObject<T> {
    type Value = Object<T>;
    indifferent!(Object::default());
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Object::default())
    }
    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyList<T> {
    type Value = List<T>;
    indifferent!(List::default());
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(List::default())
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyObject(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyList(PhantomData))
    }
}

/// The members of an object, in order; of anything else there are none.
#[derive(Debug, Default)]
pub(super) struct Members<'a>(pub(super) Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Members<'de>;
            indifferent!(Members::default());
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Members::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = all.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}
