//! Messages with blanks for what is known of a person. The messages are JSON first, and only their
//! strings are templates, so that no name can change what a message is.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value as Rendered, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, context};
use serde_json::Value;

use crate::attributes::Attributes;

/// What templates call a person's attributes.
const ATTRIBUTES: &str = "UserAttribute";
/// How many steps one string may take.
const FUEL: u64 = 50_000;
/// How long one string may become, bytes.
const MAX_BYTES: usize = 64 * 1024;
// The engine's parser and compiler recurse, and so do macros that call themselves: what is deeper than
// these takes the stack, and the process with it.
/// How long one template may be, bytes.
const MAX_SOURCE: usize = 16 * 1024;
/// How many words and signs may stand within its tags.
const MAX_WORDS: usize = 1000;
/// How many brackets may be open at once.
const MAX_BRACKETS: usize = 32;
/// How deep loops and macros may stand within each other; a macro counts as several.
const MAX_RECURSION: usize = 100;

/// A rule that a template breaks: JSON pointer and reason.
pub(crate) type Breach = (String, String);

/// Why a person gets no rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unrendered {
    /// An attribute that the template needs is not there.
    Missing(String),
    /// The template said so, by `abort`.
    Aborted(String),
    /// The template failed.
    Failed(String),
}

impl fmt::Display for Unrendered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(formatter, "personalization_failed: {name}"),
            Self::Aborted(reason) => write!(formatter, "aborted: {reason}"),
            Self::Failed(reason) => write!(formatter, "template_failed: {reason}"),
        }
    }
}

/// What `abort` raises.
#[derive(Debug)]
struct Abort(String);

impl fmt::Display for Abort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Abort {}

/// What all templates of a campaign know beside the person.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixed {
    /// The time of planning, RFC 3339 in the campaign's zone.
    pub(crate) now: String,
    /// The campaign's name.
    pub(crate) name: String,
    /// Its occurrence.
    pub(crate) occurrence: String,
}

/// The templates of a campaign, compiled.
pub(crate) struct Templates {
    environment: Environment<'static>,
    /// Where an absent attribute equals nothing, instead of being an error.
    conditions: Environment<'static>,
    condition: Option<String>,
    messages: Value,
    /// The strings of `messages` that are templates, by JSON pointer. A template's name in the
    /// environment is its pointer.
    blanks: Vec<String>,
    /// The attribute that is the ID, where the ID is one and nothing more.
    plain_id: Option<String>,
    fixed: Rendered,
}

impl fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// The name of the template that gives a person's ID; no JSON pointer.
const ID: &str = "to";

impl Templates {
    /// Compiles the templates. Each comes with its JSON pointer in the document.
    ///
    /// # Errors
    ///
    /// Every template that is none, or asks for what there is not.
    pub(crate) fn new(
        id: (&str, &str),
        messages: (Value, &str),
        condition: Option<&str>,
        fixed: &Fixed,
    ) -> Result<Self, Vec<Breach>> {
        let mut environment = environment(UndefinedBehavior::SemiStrict);
        let conditions = self::environment(UndefinedBehavior::Lenient);
        let mut breaches = Vec::new();
        let (messages, place) = messages;
        let mut blanks = Vec::new();
        find_blanks(&messages, &mut String::new(), &mut blanks);
        let mut sources = vec![(ID.to_owned(), id.1.to_owned(), id.0.to_owned())];
        for pointer in &blanks {
            let source = messages.pointer(pointer).and_then(Value::as_str);
            let source = source.unwrap_or_default().to_owned();
            sources.push((pointer.clone(), format!("{place}{pointer}"), source));
        }
        for (name, pointer, source) in sources {
            if let Err(reason) = readable(&source, false) {
                breaches.push((pointer, reason));
                continue;
            }
            let added = environment.add_template_owned(name.clone(), source);
            if let Err(error) = added {
                breaches.push((pointer, syntax(&error, "a template")));
                continue;
            }
            let asked = environment.get_template(&name);
            let asked = asked.map(|template| template.undeclared_variables(false));
            breaches.extend(unknown(&pointer, asked.unwrap_or_default(), &environment));
        }
        if let Some(source) = condition {
            match compiled(&conditions, source) {
                Ok(expression) => {
                    let asked = expression.undeclared_variables(false);
                    breaches.extend(unknown("/where", asked, &environment));
                }
                Err(reason) => breaches.push(("/where".to_owned(), reason)),
            }
        }
        if !breaches.is_empty() {
            return Err(breaches);
        }
        Ok(Self {
            environment,
            conditions,
            condition: condition.map(str::to_owned),
            messages,
            blanks,
            plain_id: plain_attribute(id.0),
            fixed: context! {
                now => fixed.now.as_str(),
                campaign => context! { name => fixed.name.as_str(), occurrence => fixed.occurrence.as_str() },
            },
        })
    }

    /// What says whether a person is meant at all.
    pub(crate) fn selector(&self) -> Selector<'_> {
        let condition = self.condition.as_deref();
        Selector {
            templates: self,
            // It was compiled before, when the templates were.
            condition: condition.and_then(|source| self.conditions.compile_expression(source).ok()),
        }
    }

    /// A person's ID; empty where there is none.
    pub(crate) fn id(&self, person: &Arc<Attributes>) -> Result<String, Unrendered> {
        let id = match &self.plain_id {
            Some(name) => person.text(name).unwrap_or_default(),
            None => match self.render(ID, person) {
                Err(Unrendered::Missing(_)) => String::new(),
                other => other?,
            },
        };
        Ok(id.trim().to_owned())
    }

    /// The attribute that is the ID, where the ID is one and nothing more.
    pub(crate) fn plain_id(&self) -> Option<&str> {
        self.plain_id.as_deref()
    }

    /// The texts of a person's blanks, in order.
    pub(crate) fn texts(&self, person: &Arc<Attributes>) -> Result<Vec<String>, Unrendered> {
        let blanks = self.blanks.iter();
        blanks.map(|name| self.render(name, person)).collect()
    }

    /// The messages with these texts.
    pub(crate) fn messages(&self, texts: &[String]) -> Value {
        let mut messages = self.messages.clone();
        for (pointer, text) in self.blanks.iter().zip(texts) {
            if let Some(place) = messages.pointer_mut(pointer) {
                *place = Value::from(text.as_str());
            }
        }
        messages
    }

    fn context(&self, person: &Arc<Attributes>) -> Rendered {
        let person = Rendered::from_dyn_object(Arc::clone(person));
        context! { UserAttribute => person, ..self.fixed.clone() }
    }

    fn render(&self, name: &str, person: &Arc<Attributes>) -> Result<String, Unrendered> {
        let mut text = Bounded::default();
        let template = self.environment.get_template(name);
        let rendered = template.and_then(|template| {
            template
                .render_captured_to(self.context(person), &mut text)
                .map(drop)
        });
        match rendered {
            Ok(()) => String::from_utf8(text.bytes)
                .map_err(|_| Unrendered::Failed("gives no text".to_owned())),
            Err(_) if text.is_full => Err(Unrendered::Failed(format!(
                "gives more than {MAX_BYTES} bytes"
            ))),
            Err(error) => Err(why(&error, person)),
        }
    }
}

/// Says who is meant.
pub(crate) struct Selector<'a> {
    templates: &'a Templates,
    condition: Option<Expression<'a, 'a>>,
}

impl Selector<'_> {
    /// Whether a person is meant.
    pub(crate) fn selects(&self, person: &Arc<Attributes>) -> Result<bool, Unrendered> {
        let Some(condition) = &self.condition else {
            return Ok(true);
        };
        let value = condition.eval(self.templates.context(person));
        let value = value.map_err(|error| why(&error, person))?;
        // Any text is true, `false` and `0` among them.
        if value.kind() != ValueKind::Bool {
            let reason =
                "is neither true nor false; compare, as in `UserAttribute['vip'] == 'yes'`";
            return Err(Unrendered::Failed(reason.to_owned()));
        }
        Ok(value.is_true())
    }
}

/// An environment without files, network or clock.
fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("abort", |reason: String| -> Result<Rendered, Error> {
        let error = Error::new(ErrorKind::InvalidOperation, "aborted");
        Err(error.with_source(Abort(reason)))
    });
    environment
}

/// An expression, or why it is none.
fn compiled<'a>(
    environment: &'a Environment<'_>,
    source: &'a str,
) -> Result<Expression<'a, 'a>, String> {
    readable(source, true)?;
    environment.compile_expression(source).map_err(|error| {
        let mut reason = syntax(&error, "an expression");
        if has_single_equals(source) {
            reason.push_str("; to compare, write `==` instead of `=`");
        }
        reason
    })
}

/// Refuses a source that the engine could not read to its end. What else is wrong with it is the
/// engine's to say.
fn readable(source: &str, is_expression: bool) -> Result<(), String> {
    if source.len() > MAX_SOURCE {
        return Err(format!("is longer than {MAX_SOURCE} bytes"));
    }
    let (mut words, mut brackets) = (0, 0_usize);
    let tokens = tokenize(source, is_expression, SyntaxConfig::default());
    for (token, _) in tokens.map_while(Result::ok) {
        match token {
            Token::TemplateData(_) | Token::Comma | Token::Str(_) | Token::String(_) => continue,
            Token::BracketOpen | Token::BraceOpen | Token::ParenOpen => brackets += 1,
            Token::BracketClose | Token::BraceClose | Token::ParenClose => {
                brackets = brackets.saturating_sub(1);
            }
            _ => {}
        }
        words += 1;
        if words > MAX_WORDS {
            return Err(format!(
                "has more than {MAX_WORDS} words and signs within its tags"
            ));
        }
        if brackets > MAX_BRACKETS {
            return Err(format!(
                "has more than {MAX_BRACKETS} brackets open at once"
            ));
        }
    }
    Ok(())
}

/// The strings that are templates, by JSON pointer from `value`.
fn find_blanks(value: &Value, pointer: &mut String, found: &mut Vec<String>) {
    let mut within = |token: &str, value: &Value| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        find_blanks(value, pointer, found);
        pointer.truncate(length);
    };
    match value {
        Value::String(text) => {
            if ["{{", "{%", "{#"]
                .iter()
                .any(|opening| text.contains(opening))
            {
                found.push(pointer.clone());
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                within(&place.to_string(), item);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                within(name, member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The attribute that a template consists of.
fn plain_attribute(template: &str) -> Option<String> {
    let inner = template
        .trim()
        .strip_prefix("{{")?
        .strip_suffix("}}")?
        .trim();
    let name = inner.strip_prefix(ATTRIBUTES)?.trim();
    let name = name.strip_prefix('[')?.strip_suffix(']')?.trim();
    let quote = name
        .chars()
        .next()
        .filter(|first| ['\'', '"'].contains(first))?;
    let name = name.strip_prefix(quote)?.strip_suffix(quote)?;
    (!name.contains([quote, '\\'])).then(|| name.to_owned())
}

fn unknown(
    pointer: &str,
    asked: impl IntoIterator<Item = String>,
    environment: &Environment<'_>,
) -> Vec<Breach> {
    let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
    let known =
        |name: &str| [ATTRIBUTES, "now", "campaign"].contains(&name) || globals.contains(name);
    let mut names: Vec<String> = asked.into_iter().filter(|name| !known(name)).collect();
    names.sort();
    let breach = |name: String| {
        let reason = format!(
            "asks for `{name}`, which templates do not know; a person's attribute is written {ATTRIBUTES}['{name}']"
        );
        (pointer.to_owned(), reason)
    };
    names.into_iter().map(breach).collect()
}

/// What is wrong with a template, in the words of its parser.
fn syntax(error: &Error, what: &str) -> String {
    let detail = error.detail().map(|detail| format!(": {detail}"));
    format!(
        "is not {what}: {}{}",
        error.kind(),
        detail.unwrap_or_default()
    )
}

/// Whether an expression has a `=` that is no part of a comparison.
fn has_single_equals(source: &str) -> bool {
    let comparisons = ["==", "!=", "<=", ">="].into_iter();
    let rest = comparisons.fold(source.to_owned(), |rest, sign| rest.replace(sign, ""));
    rest.contains('=')
}

fn why(error: &Error, person: &Attributes) -> Unrendered {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(Abort(reason)) = cause.downcast_ref() {
            return Unrendered::Aborted(reason.clone());
        }
        source = cause.source();
    }
    match (error.kind(), person.missing()) {
        (ErrorKind::UndefinedError, Some(name)) => Unrendered::Missing(name),
        (ErrorKind::OutOfFuel, _) => Unrendered::Failed(format!("takes more than {FUEL} steps")),
        (kind, _) => {
            let detail = error.detail().map(|detail| format!(": {detail}"));
            Unrendered::Failed(format!("{kind}{}", detail.unwrap_or_default()))
        }
    }
}

/// Bytes up to a bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_BYTES {
            self.is_full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::attributes::Row;

    fn templates(text: &str, condition: Option<&str>) -> Result<Templates, Vec<Breach>> {
        let fixed = Fixed {
            now: "2026-11-28T09:00:00+09:00".to_owned(),
            name: "spring".to_owned(),
            occurrence: "1".to_owned(),
        };
        let messages = json!([{"type": "text", "text": text}]);
        let id = ("{{UserAttribute['line_id']}}", "/recipients/to");
        Templates::new(id, (messages, "/messages"), condition, &fixed)
    }

    fn person(members: Value) -> Arc<Attributes> {
        let Value::Object(members) = members else {
            panic!("an object");
        };
        Arc::new(Attributes::new(Row::Members(members)))
    }

    fn rendered(text: &str, members: Value) -> Result<String, Unrendered> {
        let templates = templates(text, None).unwrap();
        let texts = templates.texts(&person(members))?;
        let messages = templates.messages(&texts);
        Ok(messages[0]["text"].as_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_null_empty_or_absent_is_missing_and_a_default_helps() {
        for members in [json!({}), json!({"name": null}), json!({"name": ""})] {
            let greeting = "Hello {{ UserAttribute['name'] }}!";
            let missing = Err(Unrendered::Missing("name".to_owned()));
            assert_eq!(rendered(greeting, members.clone()), missing);
            let fallback = "Hello {{ UserAttribute['name'] | default('friend') }}!";
            assert_eq!(rendered(fallback, members).unwrap(), "Hello friend!");
        }
        let both = "{{ UserAttribute['a'] | default('x') }}{{ UserAttribute['First Name'] }}";
        let missing = Err(Unrendered::Missing("First Name".to_owned()));
        assert_eq!(rendered(both, json!({})), missing);
    }

    #[test]
    fn a_value_cannot_change_what_a_message_is() {
        let name = "\", \"type\": \"image\" {{ 1 + 1 }} <b>";
        let text = rendered("{{ UserAttribute['name'] }}", json!({"name": name}));
        assert_eq!(text.unwrap(), name);
    }

    #[test]
    fn templates_have_the_time_of_planning_and_methods_of_strings() {
        let text = "{{ now[:10] }} {{ campaign.name }} {{ UserAttribute['a'].upper() }} {{ 'a b' | urlencode }}";
        assert_eq!(
            rendered(text, json!({"a": "x"})).unwrap(),
            "2026-11-28 spring X a%20b"
        );
    }

    #[test]
    fn a_template_may_abort_and_may_not_run_on() {
        let text = "{% if UserAttribute['n'] > 3 %}{{ abort('enough') }}{% endif %}ok";
        assert_eq!(
            rendered(text, json!({"n": 4})),
            Err(Unrendered::Aborted("enough".to_owned()))
        );
        assert_eq!(rendered(text, json!({"n": 3})).unwrap(), "ok");
        for endless in [
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
            "{% for a in range(10000) %}0123456789{% endfor %}",
            "{{ 'x' * 100000000000 }}",
            "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        ] {
            let failed = rendered(endless, json!({}));
            assert!(
                matches!(failed, Err(Unrendered::Failed(_))),
                "{endless}: {failed:?}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_told_with_its_place() {
        let breaches = templates("{{ UserAttribute['a' }}", None).unwrap_err();
        assert_eq!(breaches[0].0, "/messages/0/text");
        let breaches =
            templates("{{ name }} {{ abort('x') }}", Some("country == 'JP'")).unwrap_err();
        let told: Vec<_> = breaches
            .iter()
            .map(|(place, reason)| format!("{place} {reason}"))
            .collect();
        assert!(
            told[0].starts_with("/messages/0/text asks for `name`"),
            "{told:?}"
        );
        assert!(told[1].starts_with("/where asks for `country`"), "{told:?}");
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn what_would_take_the_stack_is_refused_before_it_is_read() {
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
        ] {
            // Whatever comes of the shorter ones, they come to an end.
            for times in [100, 330, 490, 990, 3_000, 100_000] {
                let source = format!("{start}{}{end}", link.repeat(times));
                let _ = templates(&source, None).map(|made| made.texts(&person(json!({}))));
                let _ = templates("x", Some(&source.replace("{{", "").replace("}}", "")));
            }
            let source = format!("{start}{}{end}", link.repeat(100_000));
            let breaches = templates(&source, None).unwrap_err();
            assert_eq!(breaches[0].1, "is longer than 16384 bytes");
        }
        let reason = |source: String| templates(&source, None).unwrap_err().remove(0).1;
        let many = reason(format!("{{{{ {}1 }}}}", "not ".repeat(3000)));
        assert_eq!(many, "has more than 1000 words and signs within its tags");
        let deep = reason(format!("{{{{ {}1 }}}}", "(".repeat(33)));
        assert_eq!(deep, "has more than 32 brackets open at once");
        let endless = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
        assert!(rendered(endless, json!({})).is_err());
        let countries = format!("{{{{ 'TH' in [{}] }}}}", "'JP', ".repeat(2000));
        assert_eq!(rendered(&countries, json!({})).unwrap(), "False");
    }

    #[test]
    fn a_condition_selects() {
        let templates = templates("x", Some("UserAttribute['country'] == 'JP'")).unwrap();
        assert_eq!(
            templates
                .selector()
                .selects(&person(json!({"country": "JP"}))),
            Ok(true)
        );
        assert_eq!(
            templates
                .selector()
                .selects(&person(json!({"country": "TH"}))),
            Ok(false)
        );
        assert_eq!(templates.selector().selects(&person(json!({}))), Ok(false));
        let templates = super::tests::templates("x", Some("UserAttribute['vip']")).unwrap();
        let person = person(json!({"vip": "false"}));
        assert!(templates.selector().selects(&person).is_err());
    }

    #[test]
    fn an_id_is_an_attribute_or_a_template() {
        assert_eq!(
            plain_attribute("{{UserAttribute['line_id']}}").as_deref(),
            Some("line_id")
        );
        assert_eq!(
            plain_attribute(" {{ UserAttribute[\"a b\"] }} ").as_deref(),
            Some("a b")
        );
        assert_eq!(
            plain_attribute("{{UserAttribute['a'] ~ UserAttribute['b']}}"),
            None
        );
        assert_eq!(plain_attribute("U123"), None);
    }
}
