//! What is known of one person, as templates see it: `UserAttribute`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value as Rendered;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use serde_json::{Map, Value};

/// The columns of a table by name, and their order.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// Columns in the order of the header. A column without a name cannot be asked for.
    ///
    /// # Errors
    ///
    /// The name that two of them have.
    pub(crate) fn new(names: Vec<String>) -> Result<Self, String> {
        let mut places = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            if !name.is_empty() && places.insert(name.clone(), place).is_some() {
                return Err(name.clone());
            }
        }
        Ok(Self { names, places })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}

/// One person's attributes as they stand in the list.
#[derive(Debug)]
pub(crate) enum Row {
    /// A line of a table.
    Cells(Arc<Columns>, csv::StringRecord),
    /// A JSON object.
    Members(Map<String, Value>),
}

/// One person's attributes. It remembers which one was asked for last and is not there: what is null
/// or empty counts as absent.
#[derive(Debug)]
pub(crate) struct Attributes {
    row: Row,
    missing: Mutex<Option<String>>,
}

impl Attributes {
    pub(crate) fn new(row: Row) -> Self {
        Self {
            row,
            missing: Mutex::default(),
        }
    }

    /// The text of an attribute that is there.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match &self.row {
            Row::Cells(columns, cells) => {
                let cell = cells.get(*columns.places.get(name)?)?;
                (!cell.is_empty()).then(|| cell.to_owned())
            }
            Row::Members(members) => match members.get(name)? {
                Value::String(text) => (!text.is_empty()).then(|| text.clone()),
                Value::Null => None,
                other => Some(other.to_string()),
            },
        }
    }

    fn value(&self, name: &str) -> Option<Rendered> {
        match &self.row {
            Row::Cells(..) => self.text(name).map(Rendered::from),
            Row::Members(members) => match members.get(name)? {
                Value::Null => None,
                Value::String(text) if text.is_empty() => None,
                other => Some(Rendered::from(Serde(other))),
            },
        }
    }

    /// The attribute that was asked for last and is not there.
    pub(crate) fn missing(&self) -> Option<String> {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.take()
    }
}

impl Object for Attributes {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Rendered) -> Option<Rendered> {
        let name = key.as_str()?;
        let value = self.value(name);
        if value.is_none() {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            *missing = Some(name.to_owned());
        }
        value
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names: Vec<Rendered> = match &self.row {
            Row::Cells(columns, _) => columns.names().iter().map(Rendered::from).collect(),
            Row::Members(members) => members.keys().map(Rendered::from).collect(),
        };
        Enumerator::Values(names)
    }
}
