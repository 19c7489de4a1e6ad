//! What templates may cost. The engine bounds steps and what is written; two things are bounded here.
//!
//! Its parser and compiler recurse, so a source has a length, a number of words and signs, and a depth
//! of brackets: [`check`]. And what an operator costs, such as `==`, depends on all that stands in its
//! operands, where a short template can make lists of lists of lists of one text. So lists that a
//! template writes down hold constants, and all others, those of a row and those that filters return,
//! are [`Held`]: whoever looks into one pays for each look.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{
    Enumerator, Object, ObjectRepr, Rest, Serde, Value as Rendered, ValueKind, ValueOrKwargs,
};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior};
use minijinja_contrib::pycompat::unknown_method_callback;
use serde_json::Value;

/// How many steps one string may take.
pub(crate) const FUEL: u64 = 50_000;
/// How long one template may be, bytes.
const MAX_SOURCE: usize = 16 * 1024;
/// How many words and signs may stand within the tags of one template.
const MAX_TOKENS: usize = 1000;
/// How deep brackets may stand within each other.
const MAX_BRACKETS: usize = 32;
/// How long a text in a list may be that a template writes down, bytes. Such a list may be repeated.
const MAX_CONSTANT: usize = 256;
/// How deep lists may stand within each other.
const MAX_DEPTH: usize = 32;
/// How deep loops and macros may stand within each other; a macro counts as several.
const MAX_RECURSION: usize = 100;
/// How many digits the width in a format of Python's has.
const MAX_WIDTH_DIGITS: u32 = 3;
/// How many bytes one step pays for.
const BYTES_OF_STEP: u64 = 64;

/// The filters that templates know.
const FILTERS: [&str; 49] = [
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// The tests that templates know.
const TESTS: [&str; 41] = [
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "upper",
];

thread_local! {
    /// How many steps the looks into lists may still take while one string is rendered.
    static LEFT: Cell<u64> = const { Cell::new(FUEL) };
}

/// Begins another string.
pub(crate) fn refuel() {
    LEFT.set(FUEL);
}

/// Whether the looks into lists took more steps than a string may.
pub(crate) fn is_exhausted() -> bool {
    LEFT.get() == 0
}

/// Pays for a look at something of this length.
///
/// # Errors
///
/// Where there is nothing left to pay with.
pub(crate) fn pay(bytes: usize) -> Result<(), Error> {
    let cost = 1 + bytes as u64 / BYTES_OF_STEP;
    let left = LEFT.get().saturating_sub(cost);
    LEFT.set(left);
    if left == 0 {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    Ok(())
}

/// Files, network and clock are nowhere, and what is not named above is unknown.
pub(crate) fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut whole = Environment::new();
    whole.set_undefined_behavior(undefined);
    whole.set_fuel(Some(FUEL));
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    // A macro that calls itself takes the stack.
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_unknown_method_callback(|state, value, method, arguments| {
        pay_for(arguments.iter().chain([value]))?;
        if let ("format", Some(format)) = (method, value.as_str()) {
            pay_for_format(format)?;
        }
        held(&unknown_method_callback(state, value, method, arguments)?)
    });
    if let Some((name, range)) = whole.globals().find(|(name, _)| *name == "range") {
        environment.add_global(name.to_owned(), range);
    }
    let whole = Arc::new(whole);
    for name in FILTERS {
        let whole = Arc::clone(&whole);
        environment.add_filter(
            name,
            move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
                let mut own = whole.empty_state();
                let result = own.apply_filter(name, &arguments.into_values());
                settle(state, &own)?;
                held(&result?)
            },
        );
    }
    for name in TESTS {
        let whole = Arc::clone(&whole);
        environment.add_test(
            name,
            move |state: &mut State<'_, '_>, arguments: Rest<ValueOrKwargs>| {
                let arguments = arguments.into_values();
                pay_for(arguments.iter())?;
                let mut own = whole.empty_state();
                let result = own.perform_test(name, &arguments);
                settle(state, &own)?;
                result
            },
        );
    }
    environment
}

/// Pays for texts that are gone through.
fn pay_for<'a>(values: impl Iterator<Item = &'a Rendered>) -> Result<(), Error> {
    pay(values.filter_map(Rendered::as_str).map(str::len).sum())
}

/// Pays for what a format of Python's makes before it is made.
fn pay_for_format(format: &str) -> Result<(), Error> {
    let mut numbers = format.split(|character: char| !character.is_ascii_digit());
    if numbers.any(|number| number.len() > MAX_WIDTH_DIGITS as usize) {
        let reason = "a format has a number of more than three digits";
        return Err(Error::new(ErrorKind::InvalidOperation, reason));
    }
    pay(format.matches('{').count() * 10usize.pow(MAX_WIDTH_DIGITS))
}

/// Lets a string pay for what one of its filters or tests took.
fn settle(state: &State<'_, '_>, own: &State<'_, '_>) -> Result<(), Error> {
    let consumed = own.fuel_levels().map_or(0, |(consumed, _)| consumed);
    state.consume_fuel(consumed)
}

/// A list or map of which each look is paid for.
#[derive(Debug)]
struct Held {
    items: Items,
    depth: usize,
}

#[derive(Debug)]
enum Items {
    List(Vec<Rendered>),
    Map(BTreeMap<Rendered, Rendered>),
}

impl Held {
    /// # Errors
    ///
    /// Where it is too deep.
    fn value(items: Items) -> Result<Rendered, Error> {
        let depth = |item: &Rendered| {
            let held = item.downcast_object_ref::<Self>();
            held.map_or(0, |held| held.depth)
        };
        let below = match &items {
            Items::List(items) => items.iter().map(depth).max(),
            Items::Map(members) => members.values().map(depth).max(),
        };
        let depth = below.unwrap_or_default() + 1;
        if depth > MAX_DEPTH {
            let reason = format!("lists stand more than {MAX_DEPTH} deep within each other");
            return Err(Error::new(ErrorKind::InvalidOperation, reason));
        }
        Ok(Rendered::from_object(Self { items, depth }))
    }
}

impl Object for Held {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.items {
            Items::List(_) => ObjectRepr::Seq,
            Items::Map(_) => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Rendered) -> Option<Rendered> {
        let found = match &self.items {
            Items::List(items) => items.get(key.as_usize()?)?,
            Items::Map(members) => members.get(key)?,
        };
        let paid = pay(found.as_str().map_or(0, str::len));
        Some(paid.map_or_else(Rendered::from, |()| found.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match &self.items {
            Items::List(items) => Enumerator::Seq(items.len()),
            Items::Map(members) => {
                let bytes = members.keys().filter_map(Rendered::as_str).map(str::len);
                // Nothing can be refused here, and what is asked next is.
                let _ = pay(bytes.sum::<usize>() + members.len() * 64);
                if is_exhausted() {
                    return Enumerator::Empty;
                }
                Enumerator::Values(members.keys().cloned().collect())
            }
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(match &self.items {
            Items::List(items) => items.len(),
            Items::Map(members) => members.len(),
        })
    }
}

/// A value of which each look is paid for.
///
/// # Errors
///
/// Where it is too large or too deep.
fn held(value: &Rendered) -> Result<Rendered, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable if value.downcast_object_ref::<Held>().is_none() => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                pay(0)?;
                items.push(held(&item?)?);
            }
            Held::value(Items::List(items))
        }
        ValueKind::Map if value.downcast_object_ref::<Held>().is_none() => {
            let mut members = BTreeMap::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                pay(0)?;
                let member = value.get_item(&key)?;
                members.insert(key, held(&member)?);
            }
            Held::value(Items::Map(members))
        }
        _ => Ok(value.clone()),
    }
}

/// A value of a row.
///
/// # Errors
///
/// Where it is too large or too deep.
pub(crate) fn held_json(value: &Value) -> Result<Rendered, Error> {
    match value {
        Value::Array(items) => {
            pay(0)?;
            let items = items.iter().map(held_json);
            Held::value(Items::List(items.collect::<Result<_, _>>()?))
        }
        Value::Object(members) => {
            pay(0)?;
            let members = members
                .iter()
                .map(|(name, member)| Ok((Rendered::from(name), held_json(member)?)));
            Held::value(Items::Map(members.collect::<Result<_, Error>>()?))
        }
        plain => {
            pay(plain.as_str().map_or(0, str::len))?;
            Ok(Rendered::from(Serde(plain)))
        }
    }
}

/// A bracket that is open.
struct Bracket {
    makes: Makes,
    is_constant: bool,
    /// How long the text is that is being read.
    text: usize,
}

/// What stands in a bracket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// A list or map.
    List,
    /// The same with a comma, otherwise a value.
    ListWithComma,
    /// Arguments, or what is looked up.
    NoList,
}

/// What was read last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Something that has a value, so that a bracket looks something up in it or calls it.
    Value,
    /// The end of a list that holds more than constants.
    List,
    BlockStart,
    Dot,
    Other,
}

/// Words after which a value begins.
const KEYWORDS: [&str; 9] = ["in", "and", "or", "not", "if", "else", "is", "for", "set"];

/// Refuses a source that the engine should not read, before it does.
///
/// # Errors
///
/// Why.
pub(crate) fn check(source: &str, is_expression: bool) -> Result<(), String> {
    if source.len() > MAX_SOURCE {
        return Err(format!("is longer than {MAX_SOURCE} bytes"));
    }
    let mut open: Vec<Bracket> = Vec::new();
    let mut before = Before::Other;
    let mut count = 0;
    for token in tokenize(source, is_expression, SyntaxConfig::default()) {
        // What is wrong with it is the engine's to say.
        let Ok((token, _)) = token else {
            return Ok(());
        };
        if before == Before::List && !matches!(token, Token::Pipe) {
            return Err(NO_LIST.to_owned());
        }
        count += usize::from(!is_free(&token));
        if count > MAX_TOKENS {
            return Err(format!(
                "has more than {MAX_TOKENS} words and signs within its tags"
            ));
        }
        if let Some(bracket) = open.last_mut() {
            bracket.take(&token);
        }
        before = match &token {
            Token::BracketOpen | Token::BraceOpen | Token::ParenOpen => {
                if open.len() == MAX_BRACKETS {
                    return Err(format!(
                        "has more than {MAX_BRACKETS} brackets open at once"
                    ));
                }
                let makes = match token {
                    _ if before == Before::Value => Makes::NoList,
                    Token::ParenOpen => Makes::ListWithComma,
                    _ => Makes::List,
                };
                open.push(Bracket {
                    makes,
                    is_constant: true,
                    text: 0,
                });
                Before::Other
            }
            Token::BracketClose | Token::BraceClose | Token::ParenClose => match open.pop() {
                Some(list) if list.makes == Makes::List && !list.is_constant => Before::List,
                _ => Before::Value,
            },
            Token::Ident(word) => match before {
                Before::Dot => Before::Value,
                Before::BlockStart => Before::Other,
                _ if KEYWORDS.contains(word) => Before::Other,
                _ => Before::Value,
            },
            Token::Str(_) | Token::String(_) => Before::Value,
            Token::Dot => Before::Dot,
            Token::BlockStart => Before::BlockStart,
            _ => Before::Other,
        };
    }
    if before == Before::List {
        return Err(NO_LIST.to_owned());
    }
    Ok(())
}

/// Why a list is refused.
const NO_LIST: &str = "has a list or map of more than constants, each of 256 bytes at most; such a list may only stand before a filter, as in `[a, b] | join(' ')`";

/// Whether a token makes nothing deeper.
fn is_free(token: &Token<'_>) -> bool {
    matches!(
        token,
        Token::TemplateData(_)
            | Token::VariableEnd
            | Token::BlockEnd
            | Token::Comma
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
    )
}

impl Bracket {
    fn take(&mut self, token: &Token<'_>) {
        match token {
            Token::Comma => {
                if self.makes == Makes::ListWithComma {
                    self.makes = Makes::List;
                }
                self.text = 0;
            }
            Token::Colon => self.text = 0,
            Token::Str(text) => self.lengthen(text.len()),
            Token::String(text) => self.lengthen(text.len()),
            Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Minus
            | Token::Ident("true" | "false" | "none" | "True" | "False" | "None")
            | Token::BracketClose
            | Token::BraceClose
            | Token::ParenClose => {}
            _ => self.is_constant = false,
        }
    }

    /// Texts that stand side by side are one.
    fn lengthen(&mut self, bytes: usize) {
        self.text += bytes;
        self.is_constant &= self.text <= MAX_CONSTANT;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::tests::{rendered, templates};

    /// What a template comes to, which is read first.
    fn outcome(text: &str, members: Value) -> Result<String, String> {
        templates(text, None).map_err(|breaches| breaches[0].1.clone())?;
        rendered(text, members).map_err(|why| why.to_string())
    }

    #[test]
    fn what_would_overflow_the_stack_of_the_parser_is_refused() {
        for (start, link, end) in [
            ("{{ ", "not ", "true }}"),
            ("{{ ", "-", "1 }}"),
            ("{{ true", " and true", " }}"),
            ("{{ 1", "|abs", " }}"),
            ("{{ 1", "~1", " }}"),
            ("{{ now", "**now", " }}"),
            ("{{ now", ".a", " }}"),
            ("{{ now", "()", " }}"),
            ("{{ 1", " if now else 1", " }}"),
            ("{{ 1", " is not none", " }}"),
            ("{{ ", "now(", " }}"),
            ("{{ ", "[", " }}"),
            ("{% if now %}", "{% elif now %}", "{% endif %}"),
            ("", "{% if now %}", ""),
            ("{{ ((((((((((((((((((((((((((((((((", "not ", "1 }}"),
            (
                "{{ now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(now(",
                "1~",
                "1 }}",
            ),
        ] {
            for times in [100, 240, 320, 330, 480, 490, 900, 980, 990, 100_000] {
                let source = format!("{start}{}{end}", link.repeat(times));
                let _ = outcome(&source, json!({}));
                let condition = source.replace("{{", "").replace("}}", "");
                let _ = templates("x", Some(&condition));
            }
            let source = format!("{start}{}{end}", link.repeat(100_000));
            let reason = outcome(&source, json!({})).unwrap_err();
            assert!(reason.contains("is longer than 16384 bytes"), "{reason}");
        }
        let reason = outcome(&format!("{{{{ {}1 }}}}", "not ".repeat(3000)), json!({}));
        assert!(
            reason
                .unwrap_err()
                .contains("more than 1000 words and signs")
        );
        let countries = "'JP', ".repeat(2000);
        let many = format!("{{{{ 'TH' in [{countries}] }}}}");
        assert_eq!(outcome(&many, json!({})).unwrap(), "False");
    }

    #[test]
    fn what_would_take_the_memory_or_run_on_fails() {
        let list =
            json!({"a": ["y".repeat(10_000)], "b": ["y".repeat(10_000)], "c": {"d": [1, 2]}});
        let deep = "{% set a = UserAttribute['a'] %}{% set b = UserAttribute['b'] %}";
        for source in [
            "{% set a=[\"y\"*1000]*1000 %}{% set b=[a]*1000 %}{% set c=[b]*1000 %}{{ c|tojson }}",
            "{% set a=[\"y\"*1000]*1000 %}{{ [a]*100 == [a]*100 }}",
            "{{ [[['y']*30]*30]*30 == [[['y']*30]*30]*30 }}",
            "{{ [] is eq [[now]*1000] }}",
            "{% set a = ('y' * 1000, now) %}{{ a }}",
            "{% set a = {'b': now} %}{{ a }}",
            "{% set n = namespace() %}{% set n.a = n %}{{ n }}",
            "{% set a = dict(b=now) %}{{ a }}",
        ] {
            outcome(source, list.clone()).unwrap_err();
        }
        for source in [
            "{{ '{:>1000000000}'.format(1) }}",
            "{{ ('{:>999}' * 40000).format(1) }}",
            "{{ '%1000000000d'|format(1) }}",
            "{{ 'x'|indent(1000000000) }}",
            "{{ ('x' * 1000000)|replace('', 'y' * 1000000) }}",
            "{% set x = 'x' * 1000000 %}{% for i in range(9000) %}{% if x is lower %}{% endif %}{% endfor %}",
            "{% set x = 'x' * 1000000 %}{% for i in range(9000) %}{{ x.isalpha() }}{% endfor %}",
            "{% for i in range(9000) %}{{ 'x'.find(UserAttribute['a'][0]) }}{% endfor %}",
            "{% for i in range(9000) %}{% if UserAttribute['c']|sort == a %}{% endif %}{% endfor %}",
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
            "{{ (a * 100000) ~ '' }}",
            "{{ (a * 5000) == (b * 5000) }}",
            "{{ (a * 5000)|string }}",
            "{{ (a * 5000)|tojson }}",
            "{{ (a * 5000)|pprint }}",
            "{{ (a * 5000)|urlencode }}",
            "{{ (a * 5000)|join }}",
            "{{ (a * 5000)|sort|length }}",
            "{{ (a * 5000)|unique|length }}",
            "{{ 'z' in (a * 5000) }}",
            "{{ (a * 5000)|list }}",
            "{% for x in a * 5000 %}{% endfor %}",
            "{% for i in range(9000) %}{% if a == b %}{% endif %}{% endfor %}",
            "{% for i in range(9000) %}{{ UserAttribute['a'][0]|length }}{% endfor %}",
            "{{ ([0] * 1000)|map('default', a, true)|list|string }}",
            "{{ range(1000)|batch(999, a)|list|batch(999, a)|list|string }}",
        ] {
            let failed = outcome(&format!("{deep}{source}"), list.clone()).unwrap_err();
            assert!(failed.starts_with("template_failed"), "{source}: {failed}");
        }
        for link in [
            "a|zip(a)",
            "a|chain(a)",
            "a|batch(1)",
            "a + a",
            "[a, a]|list",
        ] {
            let set = format!("{{% set a = {link} %}}").repeat(90);
            outcome(&format!("{deep}{set}{{{{ a == b }}}}"), list.clone()).unwrap_err();
        }
        let nest = "{% set a = [a]|list %}".repeat(100);
        let failed = outcome(&format!("{deep}{nest}{{{{ a }}}}"), list).unwrap_err();
        assert!(failed.contains("more than 32 deep"), "{failed}");
    }

    #[test]
    fn lists_are_of_use() {
        let row = json!({
            "name": "Ann Lee", "tags": ["b", "a"], "country": "TH",
            "orders": [{"id": 1, "item": "tea"}, {"id": 2, "item": "cup"}],
        });
        for (source, text) in [
            ("{{ UserAttribute['name'].split(' ')[0] }}", "Ann"),
            ("{{ UserAttribute['tags']|sort|join(', ') }}", "a, b"),
            (
                "{{ UserAttribute['tags'][-1] }}{{ UserAttribute['tags']|length }}",
                "a2",
            ),
            (
                "{{ UserAttribute['orders']|map(attribute='item')|join('+') }}",
                "tea+cup",
            ),
            (
                "{% for o in UserAttribute['orders'] if o.id > 1 %}{{ loop.index }}{{ o.item }}{% endfor %}",
                "1cup",
            ),
            (
                "{% for k, v in UserAttribute['orders'][0]|items %}{{ k }}{{ v }}{% endfor %}",
                "id1itemtea",
            ),
            (
                "{% if UserAttribute['country'] in ['JP', 'TH'] %}asia{% endif %}",
                "asia",
            ),
            (
                "{% set words = {'JP': 'konnichiwa', 'TH': 'sawasdee'} %}{{ words[UserAttribute['country']] }}",
                "sawasdee",
            ),
            (
                "{{ [UserAttribute['name'], UserAttribute['country']]|join(' / ') }}",
                "Ann Lee / TH",
            ),
            ("{{ UserAttribute['name'].startswith(('A', 'B')) }}", "True"),
            ("{{ UserAttribute['tags'] }}", "['b', 'a']"),
            (
                "{{ UserAttribute['orders'][0]|tojson }}",
                "{\"id\": 1, \"item\": \"tea\"}",
            ),
            (
                "{{ '{:,}'.format(1234567) }} {{ '%05.1f'|format(2.25) }}",
                "1,234,567 002.2",
            ),
            ("{{ range(3)|list }}{{ ('a', 'b')|first }}", "[0, 1, 2]a"),
            ("{{ UserAttribute['none']|default(['x']|first) }}", "x"),
            (
                "{% macro hi(n) %}hi {{ n }}{% endmacro %}{{ hi(UserAttribute['name']) }}",
                "hi Ann Lee",
            ),
        ] {
            assert_eq!(
                outcome(source, row.clone()).as_deref(),
                Ok(text),
                "{source}"
            );
        }
    }
}
