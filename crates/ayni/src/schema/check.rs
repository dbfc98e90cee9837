//! Whether a document is as its schema says, and what is wrong where it is not.

use std::cmp::Ordering;
use std::fmt;

use ayni_doc::{Map, Path, Value};

use super::{Bounds, Field, FieldType, Fields, Schema};

/// A rule of a schema that a document breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The names that lead to the field, outermost first.
    pub path: Vec<String>,
    /// For a rule about an item of the list there: its number, from 0.
    pub item: Option<usize>,
    /// The rule.
    pub rule: Rule,
}

/// What a schema asks of a field, and what is there instead.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// It must be there.
    Required,
    /// It is not one of the fields that there may be.
    Unknown,
    /// It must be of one of these types.
    Type {
        /// The types.
        expected: Vec<FieldType>,
        /// What is there.
        found: Value,
    },
    /// It must be one of these values.
    OneOf {
        /// The values.
        expected: Vec<Value>,
        /// What is there.
        found: Value,
    },
    /// It must not be less.
    Minimum {
        /// The least value.
        least: Value,
        /// What is there.
        found: Value,
    },
    /// It must not be more.
    Maximum {
        /// The greatest value.
        most: Value,
        /// What is there.
        found: Value,
    },
    /// It must have so many characters or items at least.
    LeastLength {
        /// So many.
        least: u64,
        /// As many are there.
        found: u64,
        /// Characters of a text, not items of a list.
        text: bool,
    },
    /// It must have so many characters or items at most.
    MostLength {
        /// So many.
        most: u64,
        /// As many are there.
        found: u64,
        /// Characters of a text, not items of a list.
        text: bool,
    },
    /// The pattern must be found in it.
    Pattern {
        /// The pattern.
        pattern: String,
        /// The text that is there.
        found: String,
    },
}

impl Schema {
    /// What is wrong with a document of these fields: nothing, if it is as the schema says.
    pub fn check(&self, fields: &Map) -> Vec<Violation> {
        let mut found = Found::default();
        found.fields(&self.fields, fields);
        found.violations
    }
}

impl Field {
    /// Whether a value is as this says.
    pub(super) fn allows(&self, value: &Value) -> bool {
        let mut found = Found::default();
        found.value(self, value);
        found.violations.is_empty()
    }
}

#[derive(Default)]
struct Found {
    path: Vec<String>,
    item: Option<usize>,
    violations: Vec<Violation>,
}

impl Found {
    fn tell(&mut self, rule: Rule) {
        self.violations.push(Violation { path: self.path.clone(), item: self.item, rule });
    }

    fn tell_of(&mut self, name: &str, rule: Rule) {
        self.path.push(name.to_owned());
        self.tell(rule);
        self.path.pop();
    }

    fn fields(&mut self, rules: &Fields, fields: &Map) {
        for name in rules.required.iter().filter(|name| !fields.contains_key(*name)) {
            self.tell_of(name, Rule::Required);
        }
        for (name, value) in fields {
            match rules.known.get(name) {
                None if rules.closed => self.tell_of(name, Rule::Unknown),
                None => {}
                Some(rules) => {
                    self.path.push(name.clone());
                    self.value(rules, value);
                    self.path.pop();
                }
            }
        }
    }

    fn value(&mut self, rules: &Field, value: &Value) {
        if !rules.types.is_empty() && !rules.types.iter().any(|kind| kind.is_of(value)) {
            return self.tell(Rule::Type { expected: rules.types.clone(), found: value.clone() });
        }
        if let Some(expected) = rules.one_of.as_ref().filter(|expected| !contains(expected, value)) {
            return self.tell(Rule::OneOf { expected: expected.clone(), found: value.clone() });
        }
        match value {
            Value::Int(_) | Value::Float(_) => self.number(rules, value),
            Value::Text(text) => {
                self.length(rules.length, text.chars().count() as u64, true);
                if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_found_in(text)) {
                    self.tell(Rule::Pattern { pattern: pattern.as_str().to_owned(), found: text.clone() });
                }
            }
            Value::List(items) => {
                self.length(rules.count, items.len() as u64, false);
                self.items(rules, items);
            }
            Value::Map(fields) => self.fields(&rules.fields, fields),
            _ => {}
        }
    }

    fn number(&mut self, rules: &Field, value: &Value) {
        if let Some(least) = rules.minimum.as_ref().filter(|least| value.compare(least) == Ordering::Less) {
            self.tell(Rule::Minimum { least: least.clone(), found: value.clone() });
        }
        if let Some(most) = rules.maximum.as_ref().filter(|most| value.compare(most) == Ordering::Greater) {
            self.tell(Rule::Maximum { most: most.clone(), found: value.clone() });
        }
    }

    fn length(&mut self, bounds: Bounds, found: u64, text: bool) {
        if let Some(least) = bounds.least.filter(|least| found < *least) {
            self.tell(Rule::LeastLength { least, found, text });
        }
        if let Some(most) = bounds.most.filter(|most| found > *most) {
            self.tell(Rule::MostLength { most, found, text });
        }
    }

    fn items(&mut self, rules: &Field, items: &[Value]) {
        let Some(rules) = &rules.items else { return };
        let outer = self.item;
        for (number, item) in items.iter().enumerate() {
            self.item = outer.or(Some(number));
            self.value(rules, item);
        }
        self.item = outer;
    }
}

/// Whether a value is among these: numbers by what they amount to.
fn contains(values: &[Value], value: &Value) -> bool {
    values.iter().any(|one| one.compare(value).is_eq())
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Path::new(self.path.iter().map(String::as_str)) {
            Ok(path) => write!(f, "`{path}`")?,
            Err(_) => f.write_str("the document")?,
        }
        if let Some(item) = self.item {
            write!(f, ", item {item},")?;
        }
        write!(f, " {}", self.rule)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("is required"),
            Self::Unknown => f.write_str("is no field of the schema, which takes no others"),
            Self::Type { expected, found } => {
                let expected = either(expected.iter().map(|kind| with_article(*kind).to_owned()));
                write!(f, "must be {expected}, not {}", kind_of(found))
            }
            Self::OneOf { expected, found } => {
                write!(f, "must be {}, not {}", either(expected.iter().map(json)), json(found))
            }
            Self::Minimum { least, found } => write!(f, "must be at least {}, not {}", json(least), json(found)),
            Self::Maximum { most, found } => write!(f, "must be at most {}, not {}", json(most), json(found)),
            Self::LeastLength { least, found, text } => {
                write!(f, "must have at least {}, and has {found}", counted(*least, *text))
            }
            Self::MostLength { most, found, text } => {
                write!(f, "must have at most {}, and has {found}", counted(*most, *text))
            }
            Self::Pattern { pattern, found } => write!(f, "must match {pattern}, which {found:?} does not"),
        }
    }
}

fn json(value: &Value) -> String {
    value.to_json().to_string()
}

fn counted(count: u64, text: bool) -> String {
    match (count, text) {
        (1, true) => "1 character".to_owned(),
        (1, false) => "1 item".to_owned(),
        (count, true) => format!("{count} characters"),
        (count, false) => format!("{count} items"),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn either(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    let Some(last) = words.pop() else { return "nothing".to_owned() };
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

fn with_article(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Null => "null",
        FieldType::Boolean => "true or false",
        FieldType::Integer => "a whole number",
        FieldType::Number => "a number",
        FieldType::String => "text",
        FieldType::Array => "a list",
        FieldType::Object => "a map of fields",
        FieldType::Geometry => "a geometry",
        FieldType::Bytes => "bytes",
        FieldType::Reference => "a reference to a document",
        FieldType::Attachment => "an attachment",
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number with a fraction",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map of fields",
        Value::Geometry(_) => "a geometry",
        Value::Bytes(_) => "bytes",
        Value::Reference(_) => "a reference to a document",
        Value::Attachment(_) => "an attachment",
    }
}
