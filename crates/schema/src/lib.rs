//! Validates a value against its schema and LINE's limits, offline, and reports every violation at
//! once. It never changes the value, and it fetches nothing: the caller supplies schema files.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{
    Draft, JsonType, Keyword, PatternOptions, Registry, ValidationError, ValidationOptions,
    Validator,
};
use line_connector_text::length;
use serde_json::Value;

pub mod access;
pub mod calendar;
mod detail;
mod explain;
mod finding;
pub mod keyword;
mod prune;
mod references;
mod report;
mod rich_menu;
pub mod rules;
mod salvage;
mod secrets;

pub use detail::Detail;
pub use explain::MISSING;
use explain::{Failure, explain};
pub use finding::Finding;
use finding::{Judge, step};
use keyword::REFUSED;
use prune::{Answers, InstanceNames};
use references::Documents;
pub use salvage::Salvaged;
use secrets::Secrets;

/// What references are relative to; nothing is ever fetched from it.
const ROOT: &str = "connector:///";

/// How many pruned schemas stay compiled.
const MAX_COMPILED: usize = 64;

/// What was found in an instance, in the order of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// LINE refuses these.
    pub violations: Vec<Detail>,
    /// LINE may refuse or ignore these; nobody has said for certain.
    pub warnings: Vec<Detail>,
}

/// A schema that compiles lazily: the part that applies to an instance is loaded and compiled when
/// such an instance is first seen, and cached.
pub struct Schema {
    documents: Documents,
    secrets: OnceLock<Secrets>,
    compiled: RwLock<Vec<Compiled>>,
}

/// A pruned schema, compiled, for all instances that give the same answers.
struct Compiled {
    answers: Answers,
    validator: Arc<Validator>,
}

impl Schema {
    /// Takes in `schema`. `document` gives the parsed file for a path from the connector's root,
    /// such as `schemas/line/message.json`; it is asked only for what instances need.
    pub fn new(
        schema: &Value,
        document: impl Fn(&str) -> Option<Value> + Send + Sync + 'static,
    ) -> Self {
        Self {
            documents: Documents::new(schema.clone(), Box::new(document)),
            secrets: OnceLock::new(),
            compiled: RwLock::default(),
        }
    }

    /// Loads and compiles the whole schema, as a test of the schema itself; checking an instance
    /// compiles only the part that applies.
    ///
    /// # Errors
    ///
    /// Where and why a reference leads nowhere, or the schema is no schema.
    pub fn prove(&self) -> Result<(), String> {
        self.documents.visit(&mut |_| {})?;
        self.build(&InstanceNames::all()).map(drop)
    }

    /// Everything that is wrong or doubtful in `instance`.
    #[must_use]
    pub fn check(&self, instance: &Value) -> Findings {
        let validator = match self.validator_for(instance) {
            Ok(validator) => validator,
            Err(why) => {
                let detail = Detail::new(
                    "",
                    format!("cannot be checked, the schema is broken: {why}"),
                );
                return Findings {
                    violations: vec![detail],
                    warnings: Vec::new(),
                };
            }
        };
        if validator.is_valid(instance) {
            return Findings::default();
        }
        let (warnings, violations): (Vec<Finding>, Vec<Finding>) = self
            .findings(&validator, instance)
            .into_iter()
            .partition(|finding| finding.warning);
        let details =
            |findings: Vec<Finding>| findings.into_iter().map(|finding| finding.detail).collect();
        Findings {
            violations: details(violations),
            warnings: details(warnings),
        }
    }

    fn validator_for(&self, instance: &Value) -> Result<Arc<Validator>, String> {
        let names = InstanceNames::of(instance);
        let compiled = self.compiled.read().unwrap_or_else(PoisonError::into_inner);
        let known = compiled.iter().find(|known| names.gives(&known.answers));
        if let Some(known) = known {
            return Ok(Arc::clone(&known.validator));
        }
        drop(compiled);
        let built = self.build(&names)?;
        let validator = Arc::clone(&built.validator);
        let mut compiled = self
            .compiled
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= MAX_COMPILED {
            compiled.clear();
        }
        compiled.push(built);
        Ok(validator)
    }

    fn build(&self, names: &InstanceNames<'_>) -> Result<Compiled, String> {
        let (documents, answers) = prune::prune(&self.documents, names)?;
        let validator = build(&documents).map_err(|error| {
            let place = error
                .absolute_keyword_location()
                .map_or("the schema", |place| place.as_str());
            format!("{place}: {error}")
        })?;
        Ok(Compiled {
            answers,
            validator: Arc::new(validator),
        })
    }

    /// The names of secrets, of every file that the schema reaches: only a finding needs them. A
    /// broken reference has been told by then, or concerns no instance.
    fn secrets(&self) -> &Secrets {
        self.secrets.get_or_init(|| {
            let mut secrets = Secrets::default();
            let _ = self.documents.visit(&mut |object| secrets.learn(object));
            secrets
        })
    }

    fn findings(&self, validator: &Validator, instance: &Value) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut unjudged = Vec::new();
        for error in validator.iter_errors(instance) {
            self.judge(&error, instance, &mut found, &mut unjudged);
        }
        let mut findings = report::arrange(instance, found, &unjudged);
        hint_at_nothing(validator, instance, &mut findings);
        findings
    }

    /// Puts an error into words: where one alternative was clearly meant, what is wrong by that.
    fn judge(
        &self,
        error: &ValidationError<'_>,
        instance: &Value,
        found: &mut Vec<(Finding, bool)>,
        unjudged: &mut Vec<String>,
    ) {
        if let Some(errors) = of_the_alternative_meant(error) {
            for error in errors {
                self.judge(error, instance, found, unjudged);
            }
            return;
        }
        let (path, pointer) = location(error);
        let schema = self
            .documents
            .at(&path, parent(&pointer))
            .unwrap_or_default();
        let object = self.object_without_known_type(error, &schema, (&path, &pointer));
        let is_choice = object.is_some();
        unjudged.extend(object);
        for finding in worded(error, &schema, instance) {
            found.push((self.secrets().keep(finding, instance), is_choice));
        }
    }

    /// The place of the object whose `type` the error is about, if its `type` chooses its schema.
    fn object_without_known_type(
        &self,
        error: &ValidationError<'_>,
        schema: &Value,
        (path, pointer): (&str, &str),
    ) -> Option<String> {
        let place = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::Required { property } if property == "type" => {
                prune::chooses_by_type(schema).then(|| place.to_owned())
            }
            ValidationErrorKind::Enum { .. } => {
                let object = pointer.strip_suffix("/properties/type/enum")?;
                let object = self.documents.at(path, object)?;
                prune::chooses_by_type(&object).then(|| parent(place).to_owned())
            }
            _ => None,
        }
    }
}

/// Says what to do about each value among the findings that is nothing: `null`, empty, or what a
/// template engine writes for either. That depends on whether its place must be filled, which a look at
/// the instance without them tells for all of them at once.
fn hint_at_nothing(validator: &Validator, instance: &Value, findings: &mut [Finding]) {
    let is_there = |path: &str| {
        instance
            .pointer(path)
            .is_none_or(|value| !is_nothing(value))
    };
    if findings
        .iter()
        .all(|finding| is_there(&finding.detail.path))
    {
        return;
    }
    let mut without = instance.clone();
    leave_out_nothing(&mut without);
    let missing: HashSet<String> = validator
        .iter_errors(&without)
        .filter_map(|error| match error.kind() {
            ValidationErrorKind::Required { property } => Some(format!(
                "{}{}",
                error.instance_path().as_str(),
                step(property.as_str()?)
            )),
            _ => None,
        })
        .collect();
    for finding in findings {
        let path = &finding.detail.path;
        // The whole is no property that could be left out.
        if path.is_empty() || is_there(path) {
            continue;
        }
        let in_array = instance.pointer(parent(path)).is_some_and(Value::is_array);
        let hint = if in_array {
            "the step before gave nothing for it: remove the item"
        } else if missing.contains(path) {
            "the value is missing, and must be there: the step before gave nothing for it"
        } else if instance.pointer(path).is_some_and(Value::is_null) {
            "leave the property out instead of setting it to null"
        } else {
            "leave the property out instead of giving it empty"
        };
        finding.detail.hint = Some(hint.to_owned());
        if finding.detail.message == REFUSED
            && instance.pointer(path).is_some_and(|value| value == "")
        {
            finding.detail.message = "is empty".into();
        }
    }
}

/// Whether a value is what a step that gave nothing leaves behind.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => {
            ["", "null", "None", "nil", "undefined", "NaN"].contains(&text.as_str())
        }
        _ => false,
    }
}

/// Removes the members that are nothing, at any depth. Items stay, so that places stay the same.
fn leave_out_nothing(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !is_nothing(member));
            members.values_mut().for_each(leave_out_nothing);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_nothing),
        _ => {}
    }
}

/// What is wrong by the one alternative whose type the value has and whose members it has; `null`, which
/// stands for a member that is not there, is no alternative.
fn of_the_alternative_meant<'e>(
    error: &'e ValidationError<'_>,
) -> Option<&'e [ValidationError<'static>]> {
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return None;
    };
    let place = error.instance_path();
    let here = |error: &&ValidationError<'_>| error.instance_path() == place;
    let is_nothing = |errors: &&Vec<ValidationError<'_>>| {
        errors.iter().filter(here).any(|error| {
            matches!(
                error.kind(),
                ValidationErrorKind::Type {
                    kind: TypeKind::Single(JsonType::Null)
                }
            )
        })
    };
    let is_other = |errors: &&Vec<ValidationError<'_>>| {
        errors.iter().filter(here).any(|error| {
            matches!(
                error.kind(),
                ValidationErrorKind::Type { .. }
                    | ValidationErrorKind::Required { .. }
                    | ValidationErrorKind::Constant { .. }
            )
        })
    };
    let something: Vec<_> = context
        .iter()
        .filter(|errors| !is_nothing(errors))
        .collect();
    if let [only] = something.as_slice() {
        return Some(only);
    }
    let meant: Vec<_> = something
        .into_iter()
        .filter(|errors| !is_other(errors))
        .collect();
    match meant.as_slice() {
        [only] => Some(only),
        _ => None,
    }
}

/// The file and the pointer within it of the keyword that an error is about.
fn location(error: &ValidationError<'_>) -> (String, String) {
    match error.absolute_keyword_location() {
        Some(uri) => {
            let place = uri.as_str().strip_prefix(ROOT).unwrap_or_default();
            let (path, pointer) = place.split_once('#').unwrap_or((place, ""));
            (path.to_owned(), pointer.to_owned())
        }
        None => (String::new(), error.schema_path().as_str().to_owned()),
    }
}

fn parent(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn worded(error: &ValidationError<'_>, schema: &Value, instance: &Value) -> Vec<Finding> {
    let place = error.instance_path().as_str();
    let names = match error.kind() {
        // Our own keywords bring their words along.
        ValidationErrorKind::Custom { message, .. } => {
            return serde_json::from_str(message).map_or_else(
                |_| vec![Finding::violation(place, message.clone())],
                |findings: Vec<Finding>| {
                    let findings = findings.into_iter();
                    findings.map(|finding| beneath(place, finding)).collect()
                },
            );
        }
        ValidationErrorKind::Required { property } => {
            property.as_str().map(str::to_owned).into_iter().collect()
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected.clone(),
        ValidationErrorKind::PropertyNames { error } => error
            .instance()
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .collect(),
        _ => Vec::new(),
    };
    let value = instance.pointer(place).unwrap_or(&Value::Null);
    explain(&Failure {
        keyword: error.kind().keyword(),
        schema,
        instance: value,
        path: place,
        names,
    })
}

fn beneath(place: &str, mut finding: Finding) -> Finding {
    finding.detail.path.insert_str(0, place);
    if let Some(beside) = &mut finding.beside {
        beside.insert_str(0, place);
    }
    finding
}

fn build(documents: &BTreeMap<String, Value>) -> Result<Validator, ValidationError<'static>> {
    let mut registry = Registry::new().draft(Draft::Draft202012);
    for (path, document) in documents.iter().filter(|(path, _)| !path.is_empty()) {
        registry = registry.add(format!("{ROOT}{path}"), document)?;
    }
    let registry = registry.prepare()?;
    let schema = documents.get("").unwrap_or(&Value::Bool(true));
    options()
        .with_base_uri(ROOT)
        .with_registry(&registry)
        .build(schema)
}

fn options<'a>() -> ValidationOptions<'a> {
    let mut options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true);
    for name in keyword::NAMES {
        options = options.with_keyword(name, move |parent, value, _| {
            match keyword::make(name, parent, value) {
                Ok(judge) => Ok(Box::new(Judged(judge)) as Box<_>),
                Err(why) => Err(ValidationError::schema(why)),
            }
        });
    }
    for (name, holds) in calendar::FORMATS {
        options = options.with_format(name, holds);
    }
    options.with_keyword("x-warn", |parent, value, _| {
        let secret = parent.get("writeOnly") == Some(&Value::Bool(true));
        match warn(value, secret) {
            Ok(judge) => Ok(Box::new(Judged(judge)) as Box<_>),
            Err(why) => Err(ValidationError::schema(why)),
        }
    })
}

/// Turns the violations of a schema of its own into warnings.
fn warn(schema: &Value, secret: bool) -> Result<Judge, String> {
    let validator = options().build(schema).map_err(|error| error.to_string())?;
    let schema = schema.clone();
    Ok(Box::new(move |instance| {
        if validator.is_valid(instance) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for error in validator.iter_errors(instance) {
            let holder = schema
                .pointer(parent(error.schema_path().as_str()))
                .unwrap_or(&Value::Null);
            for mut finding in worded(&error, holder, instance) {
                finding.warning = true;
                if secret {
                    finding.detail.found = None;
                }
                findings.push(finding);
            }
        }
        findings
    }))
}

/// A judge of ours as a keyword of the validator. Findings travel as the text of its error: of one for
/// all, since the validator gives each error a copy of the instance.
struct Judged(Judge);

impl<'i> Keyword<'i> for Judged {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let findings = (self.0)(instance);
        if findings.is_empty() {
            return Ok(());
        }
        // Findings are made of texts, which always are JSON.
        let text = serde_json::to_string(&findings).unwrap_or_default();
        Err(ValidationError::custom(text))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        (self.0)(instance).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The root of the workspace.
    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    fn document(path: &str) -> Option<Value> {
        let path = Path::new(ROOT).join(path);
        serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
    }

    /// Every instance of the cases, its short forms left as they are.
    fn instances(case: &Value) -> Vec<Value> {
        let listed = |name: &str| case[name].as_array().cloned().unwrap_or_default();
        let mut instances = listed("valid");
        instances.extend(listed("reads"));
        for expectation in [listed("invalid"), listed("warns")].concat() {
            instances.push(expectation["instance"].clone());
        }
        instances
    }

    #[test]
    fn leaving_out_what_an_instance_lacks_changes_nothing_that_is_found() {
        let mut compared = 0;
        for topic in ["template", "flex", "narrowcast", "mistakes"] {
            let folder = Path::new(ROOT).join("tests/cases/schema").join(topic);
            for entry in fs::read_dir(folder).unwrap() {
                let text = fs::read_to_string(entry.unwrap().path()).unwrap();
                let Ok(case) = serde_json::from_str::<Value>(&text) else {
                    continue;
                };
                let schema = Schema::new(&case["schema"], document);
                let whole = schema.build(&InstanceNames::all()).unwrap().validator;
                for instance in instances(&case) {
                    let part = schema.validator_for(&instance).unwrap();
                    assert_eq!(
                        part.is_valid(&instance),
                        whole.is_valid(&instance),
                        "{instance}"
                    );
                    let details = |validator: &Validator| -> Vec<Detail> {
                        let findings = schema.findings(validator, &instance);
                        findings.into_iter().map(|finding| finding.detail).collect()
                    };
                    assert_eq!(details(&part), details(&whole), "{instance}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 150, "{compared}");
    }
}
