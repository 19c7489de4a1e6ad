//! Generates a Rust validator for the input schema of each action, so that valid input compiles no
//! schema. It accepts exactly what `Schema::check` finds nothing wrong with; a differential test
//! holds the two together. An unsupported keyword fails the build.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use line_connector_catalog::references::{self, type_chosen_by};
use serde_json::{Map, Value};

use crate::patterns;

/// Keywords that assert nothing.
const ANNOTATIONS: [&str; 14] = [
    "$comment",
    "$defs",
    "$schema",
    "contentEncoding",
    "default",
    "description",
    "examples",
    "title",
    "writeOnly",
    "x-binary",
    "x-digest",
    "x-expected",
    "x-unit",
    "readOnly",
];

/// Writes the functions of every action, and the table that finds them by the action's name.
pub(crate) fn render<'a>(
    inputs: impl Iterator<Item = (&'a str, &'a Map<String, Value>)>,
    schemas: &BTreeMap<String, Value>,
) -> Result<String, String> {
    let mut generator = Generator {
        schemas,
        numbers: HashMap::new(),
        functions: String::new(),
        patterns: BTreeMap::new(),
    };
    let mut table = String::new();
    for (name, schema) in inputs {
        let call = generator
            .call("", &Value::Object(schema.clone()), "value")
            .map_err(|why| format!("the inputs of {name}: {why}"))?;
        let _ = writeln!(table, "    ({name:?}, |value, sizes| {call}),");
    }
    Ok(format!(
        "pub(super) static ACTIONS: &[(&str, fn(&Value, &mut Sizes) -> bool)] = &[\n{table}];\n{}{}",
        patterns::render(&generator.patterns)?,
        generator.functions,
    ))
}

/// Lines of Rust, each of which returns `false` if an assertion fails.
type Lines = String;

struct Generator<'a> {
    schemas: &'a BTreeMap<String, Value>,
    /// The number of the function of each schema, by its file and text.
    numbers: HashMap<(String, String), usize>,
    functions: String,
    /// The number of the table of each pattern.
    patterns: BTreeMap<String, usize>,
}

impl Generator<'_> {
    /// An expression that validates `value` against a schema of `file`.
    fn call(&mut self, file: &str, schema: &Value, value: &str) -> Result<String, String> {
        let members = match schema {
            Value::Bool(verdict) => return Ok(verdict.to_string()),
            Value::Object(members) => members,
            other => return Err(format!("{other} is no schema")),
        };
        let judging: Vec<&String> = members
            .keys()
            .filter(|keyword| !ANNOTATIONS.contains(&keyword.as_str()))
            .collect();
        match judging.as_slice() {
            [] => return Ok("true".to_owned()),
            [keyword] if *keyword == "$ref" => {
                let (file, schema) = self.target(file, &members["$ref"])?;
                return self.call(&file, &schema, value);
            }
            _ => {}
        }
        let key = (file.to_owned(), schema.to_string());
        if let Some(number) = self.numbers.get(&key) {
            return Ok(format!("s{number}({value}, sizes)"));
        }
        let number = self.numbers.len();
        self.numbers.insert(key, number);
        let lines = self.lines(file, members)?;
        let _ = writeln!(
            self.functions,
            "fn s{number}(v: &Value, sizes: &mut Sizes) -> bool {{\n{lines}    true\n}}"
        );
        Ok(format!("s{number}({value}, sizes)"))
    }

    fn target(&self, file: &str, reference: &Value) -> Result<(String, Value), String> {
        let reference = reference.as_str().unwrap_or_default();
        let (path, place) = references::target(file, reference);
        let schema = self
            .schemas
            .get(&path)
            .and_then(|root| root.pointer(&place));
        let schema = schema.ok_or_else(|| format!("`{reference}` leads nowhere"))?;
        Ok((path, schema.clone()))
    }

    fn lines(&mut self, file: &str, schema: &Map<String, Value>) -> Result<Lines, String> {
        let mut lines = Lines::new();
        for (keyword, value) in schema {
            self.keyword(file, schema, (keyword, value), &mut lines)?;
        }
        self.object(file, schema, &mut lines)?;
        self.array(file, schema, &mut lines)?;
        // After the parts, whose sizes are known then.
        if let Some(most) = schema.get("x-maxJsonKilobytes") {
            require(&mut lines, &format!("sizes.fits(v, {most} * 1000)"));
        }
        Ok(lines)
    }

    /// The keywords that stand alone; those that judge the parts of objects and arrays go together.
    fn keyword(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        (keyword, value): (&str, &Value),
        lines: &mut Lines,
    ) -> Result<(), String> {
        let condition = match keyword {
            "type" => types(value)?,
            "const" => equal(value)?,
            "enum" => any(items(value)?.iter().map(equal))?,
            "pattern" => {
                let next = self.patterns.len();
                let pattern = text(value)?.to_owned();
                let number = *self.patterns.entry(pattern).or_insert(next);
                format!("has_text(v, |text| P{number}.is_match(text))")
            }
            "format" => format!("has_text(v, |text| calendar::is_of({value}, text))"),
            "maxLength" => format!(
                "has_text(v, |text| keyword::fits(text, {value}, {}))",
                unit(schema)
            ),
            "minLength" => format!(
                "has_text(v, |text| keyword::fills(text, {value}, {}))",
                unit(schema)
            ),
            "minimum" => format!("has_number(v, |number| number >= {}_f64)", number(value)?),
            "maximum" => format!("has_number(v, |number| number <= {}_f64)", number(value)?),
            "x-refuse" => "false".to_owned(),
            "x-exactlyOne" => format!("keyword::has_one(v, &{value})"),
            "x-ascending" => {
                let [low, high] = items(value)? else {
                    return Err(format!("`x-ascending` cannot be {value}"));
                };
                format!("keyword::ascends(v, {low}, {high})")
            }
            "x-ordered" => {
                let [low, high] = items(value)? else {
                    return Err(format!("`x-ordered` cannot be {value}"));
                };
                format!("keyword::is_ordered(v, {low}, {high})")
            }
            "x-maxDays" => {
                let [from, to, days] = items(value)? else {
                    return Err(format!("`x-maxDays` cannot be {value}"));
                };
                format!("keyword::is_within_days(v, {from}, {to}, {days})")
            }
            "x-rules" => return rules(value, lines),
            "$ref" => {
                let (file, schema) = self.target(file, value)?;
                self.call(&file, &schema, "v")?
            }
            "x-warn" => self.call(file, value, "v")?,
            "not" => format!("!{}", self.call(file, value, "v")?),
            "anyOf" => {
                let branches = items(value)?
                    .iter()
                    .map(|schema| self.call(file, schema, "v"));
                any(branches.collect::<Vec<_>>().into_iter())?
            }
            "if" => return self.choice(file, schema, lines),
            "allOf" => return self.all_of(file, schema, items(value)?, lines),
            known if OBJECT.contains(&known) || ARRAY.contains(&known) => return Ok(()),
            "then" | "else" | "x-maxJsonKilobytes" => return Ok(()),
            known if ANNOTATIONS.contains(&known) => return Ok(()),
            unknown => return Err(format!("`{unknown}` is not known to build/validators.rs")),
        };
        require(lines, &condition);
        Ok(())
    }

    fn choice(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        lines: &mut Lines,
    ) -> Result<(), String> {
        let condition = self.call(file, &schema["if"], "v")?;
        let yes = schema.get("then").unwrap_or(&Value::Bool(true));
        let no = schema.get("else").unwrap_or(&Value::Bool(true));
        let (yes, no) = (self.call(file, yes, "v")?, self.call(file, no, "v")?);
        require(
            lines,
            &format!("if {condition} {{ {yes} }} else {{ {no} }}"),
        );
        Ok(())
    }

    /// Branches that each stand for one `type` become one choice among them.
    fn all_of(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        branches: &[Value],
        lines: &mut Lines,
    ) -> Result<(), String> {
        let is_object = schema.get("type").is_some_and(|name| name == "object");
        let mut arms = String::new();
        for branch in branches {
            if let Some(name) = type_chosen_by(branch).filter(|_| is_object) {
                let verdict = self.call(file, &branch["then"], "v")?;
                let _ = writeln!(arms, "        Some({name:?}) => {verdict},");
            } else {
                let verdict = self.call(file, branch, "v")?;
                require(lines, &verdict);
            }
        }
        if !arms.is_empty() {
            require(
                lines,
                &format!("match kind(v) {{\n{arms}        _ => true,\n    }}"),
            );
        }
        Ok(())
    }

    /// One walk over the properties; required ones leave a bit each.
    fn object(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        lines: &mut Lines,
    ) -> Result<(), String> {
        if !OBJECT.iter().any(|keyword| schema.contains_key(*keyword)) {
            return Ok(());
        }
        let required = schema.get("required").map_or(Ok(&[][..]), items)?;
        if required.len() > 63 {
            return Err("`required` names more than 63 properties".to_owned());
        }
        let arms = self.properties(file, schema, required)?;
        let names = match schema.get("propertyNames") {
            Some(names) => self.call(file, names, "&Value::from(key.as_str())")? + " && ",
            None => String::new(),
        };
        let most = match schema.get("maxProperties") {
            Some(most) => format!("object.len() <= {most} && "),
            None => String::new(),
        };
        let all = (1_u64 << required.len()) - 1;
        let _ = write!(
            lines,
            "    if let Value::Object(object) = v {{
        let mut seen = 0_u64;
        let fits = {most}object.iter().all(|(key, part)| {names}match key.len() {{
{arms}        }});
        if !fits || seen != {all} {{
            return false;
        }}
    }}
",
        );
        Ok(())
    }

    /// What each property is judged by, as the arms of a `match` on the length of its name: the
    /// names of one length are few.
    fn properties(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        required: &[Value],
    ) -> Result<String, String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut names: Vec<&str> = properties
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        for name in required {
            let name = text(name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut arms: BTreeMap<usize, String> = BTreeMap::new();
        for name in names {
            let bit = required.iter().position(|required| required == name);
            let seen = bit.map_or(String::new(), |bit| format!("seen |= 1 << {bit}; "));
            let verdict = match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.call(file, schema, "part")?,
                None => self.other(file, schema)?,
            };
            let _ = writeln!(
                arms.entry(name.len()).or_default(),
                "                {name:?} => {{ {seen}{verdict} }}"
            );
        }
        let other = self.other(file, schema)?;
        let mut code = String::new();
        for (length, arms) in arms {
            let _ = writeln!(
                code,
                "            {length} => match key.as_str() {{\n{arms}                _ => {other},\n            }},"
            );
        }
        let _ = writeln!(code, "            _ => {other},");
        Ok(code)
    }

    /// The verdict on a property that `properties` does not name.
    fn other(&mut self, file: &str, schema: &Map<String, Value>) -> Result<String, String> {
        match schema.get("additionalProperties") {
            Some(schema) => self.call(file, schema, "part"),
            None => Ok("true".to_owned()),
        }
    }

    fn array(
        &mut self,
        file: &str,
        schema: &Map<String, Value>,
        lines: &mut Lines,
    ) -> Result<(), String> {
        let mut conditions = Vec::new();
        if let Some(least) = schema.get("minItems") {
            conditions.push(format!("items.len() >= {least}"));
        }
        if let Some(most) = schema.get("maxItems") {
            conditions.push(format!("items.len() <= {most}"));
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            conditions.push("keyword::are_unique(items)".to_owned());
        }
        if let Some(schema) = schema.get("items") {
            let verdict = self.call(file, schema, "item")?;
            if verdict != "true" {
                conditions.push(format!("items.iter().all(|item| {verdict})"));
            }
        }
        if !conditions.is_empty() {
            require(
                lines,
                &format!("has_items(v, |items| {})", conditions.join(" && ")),
            );
        }
        Ok(())
    }
}

const OBJECT: [&str; 5] = [
    "additionalProperties",
    "maxProperties",
    "properties",
    "propertyNames",
    "required",
];
const ARRAY: [&str; 4] = ["items", "maxItems", "minItems", "uniqueItems"];

fn require(lines: &mut Lines, condition: &str) {
    if condition != "true" {
        let _ = writeln!(
            lines,
            "    if !({condition}) {{\n        return false;\n    }}"
        );
    }
}

fn types(value: &Value) -> Result<String, String> {
    let names = match value {
        Value::Array(names) => names.clone(),
        name => vec![name.clone()],
    };
    any(names.iter().map(|name| {
        Ok(match text(name)? {
            "array" => "v.is_array()",
            "boolean" => "v.is_boolean()",
            "integer" => "is_integer(v)",
            "null" => "v.is_null()",
            "number" => "v.is_number()",
            "object" => "v.is_object()",
            "string" => "v.is_string()",
            other => return Err(format!("`{other}` is no type")),
        }
        .to_owned())
    }))
}

/// An expression that compares `v` with a scalar.
fn equal(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(format!("v.as_str() == Some({text:?})")),
        Value::Bool(flag) => Ok(format!("v.as_bool() == Some({flag})")),
        Value::Null => Ok("v.is_null()".to_owned()),
        Value::Number(number) => Ok(format!("v.as_f64() == Some({number}_f64)")),
        other => Err(format!("`const` and `enum` take scalars, not {other}")),
    }
}

fn any(conditions: impl Iterator<Item = Result<String, String>>) -> Result<String, String> {
    let conditions: Vec<String> = conditions.collect::<Result<_, _>>()?;
    Ok(conditions.join(" || "))
}

fn rules(names: &Value, lines: &mut Lines) -> Result<(), String> {
    for name in items(names)? {
        let name = text(name)?;
        let _ = writeln!(
            lines,
            "    const {}: rules::Rule = rule({name:?});",
            constant(name)
        );
        require(lines, &format!("{}(v).is_empty()", constant(name)));
    }
    Ok(())
}

/// A name in the letters of a constant.
fn constant(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

fn unit(schema: &Map<String, Value>) -> &'static str {
    match schema.get("x-unit") {
        Some(_) => "Unit::Graphemes",
        None => "Unit::Utf16",
    }
}

fn items(value: &Value) -> Result<&[Value], String> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("{value} is no list"))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is no text"))
}

fn number(value: &Value) -> Result<f64, String> {
    value
        .as_f64()
        .ok_or_else(|| format!("{value} is no number"))
}
