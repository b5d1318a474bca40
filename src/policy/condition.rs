//! Conditions as data: read, checked, shown in words, and never resolved, since only a request could.

use std::fmt;

use serde::Serialize;

use super::json::Json;

/// Whether a test speaks of the one value of its key or of a set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Quantifier {
    /// No prefix.
    One,
    /// `ForAllValues:`, which also holds where the key is absent.
    ForAllValues,
    /// `ForAnyValue:`, which needs at least one value.
    ForAnyValue,
}

/// One operator on one condition key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Test {
    /// `ForAllValues:` or `ForAnyValue:`.
    pub quantifier: Quantifier,
    /// Operator in AWS's spelling, without prefix and suffix, such as `ArnNotLike`.
    pub operator: &'static str,
    /// `IfExists`: holds also where the key is absent.
    pub if_exists: bool,
    /// Condition key as the document writes it, such as `aws:PrincipalArn` (compared without regard to case).
    pub key: String,
    /// Values, as text; numbers and booleans as JSON prints them. Empty where the document gives an empty array.
    pub values: Vec<String>,
}

/// A Condition block: all its tests must hold. Without tests it always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// The tests, sorted.
    pub tests: Vec<Test>,
}

/// Operators of the language, and how each reads between key and values.
const OPERATORS: [(&str, &str); 27] = [
    ("StringEquals", "is"),
    ("StringNotEquals", "is not"),
    ("StringEqualsIgnoreCase", "is, in any case,"),
    ("StringNotEqualsIgnoreCase", "is not, in any case,"),
    ("StringLike", "is like"),
    ("StringNotLike", "is not like"),
    ("NumericEquals", "="),
    ("NumericNotEquals", "is not ="),
    ("NumericLessThan", "<"),
    ("NumericLessThanEquals", "<="),
    ("NumericGreaterThan", ">"),
    ("NumericGreaterThanEquals", ">="),
    ("DateEquals", "is at"),
    ("DateNotEquals", "is not at"),
    ("DateLessThan", "is before"),
    ("DateLessThanEquals", "is at or before"),
    ("DateGreaterThan", "is after"),
    ("DateGreaterThanEquals", "is at or after"),
    ("Bool", "is"),
    ("BinaryEquals", "is"),
    ("IpAddress", "is in"),
    ("NotIpAddress", "is not in"),
    ("ArnEquals", "is like"),
    ("ArnLike", "is like"),
    ("ArnNotEquals", "is not like"),
    ("ArnNotLike", "is not like"),
    ("Null", "is absent:"),
];

impl Condition {
    /// True where the statement has no condition.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Reads a Condition block: operator -> key -> value or values.
    pub(super) fn read(json: &Json) -> Result<Self, String> {
        let Json::Object(operators) = json else {
            return Err(format!("Condition must be an object, not {}", json.kind()));
        };
        let mut tests = Vec::new();
        for (name, keys) in operators {
            let (quantifier, operator, if_exists) =
                read_operator(name).ok_or_else(|| format!("unknown condition operator {name:?}"))?;
            let Json::Object(keys) = keys else {
                return Err(format!("the condition operator {name} must hold an object, not {}", keys.kind()));
            };
            if keys.is_empty() {
                return Err(format!("the condition operator {name} names no condition key"));
            }
            for (key, values) in keys {
                if key.is_empty() {
                    return Err(format!("the condition operator {name} has an empty condition key"));
                }
                let mut values = read_values(name, key, values)?;
                values.sort();
                values.dedup();
                tests.push(Test { quantifier, operator, if_exists, key: key.clone(), values });
            }
        }
        tests.sort();
        Ok(Self { tests })
    }
}

fn read_operator(name: &str) -> Option<(Quantifier, &'static str, bool)> {
    let lower = name.to_ascii_lowercase();
    let (quantifier, base) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
        (Quantifier::ForAllValues, rest)
    } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
        (Quantifier::ForAnyValue, rest)
    } else {
        (Quantifier::One, lower.as_str())
    };
    let (base, if_exists) = base.strip_suffix("ifexists").map_or((base, false), |b| (b, true));
    let (operator, _) = OPERATORS.iter().find(|(o, _)| o.eq_ignore_ascii_case(base))?;
    // Null asks for existence itself: AWS refuses Null with IfExists.
    (!(if_exists && *operator == "Null")).then_some((quantifier, *operator, if_exists))
}

fn read_values(operator: &str, key: &str, json: &Json) -> Result<Vec<String>, String> {
    let one = |value: &Json| match value {
        Json::Text(text) | Json::Number(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        other => Err(format!(
            "the value of {key} under {operator} must be a string, number or boolean, not {}",
            other.kind()
        )),
    };
    match json {
        Json::List(items) => items.iter().map(one).collect(),
        value => Ok(vec![one(value)?]),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quantifier {
            Quantifier::One => {}
            Quantifier::ForAllValues => f.write_str("every value of ")?,
            Quantifier::ForAnyValue => f.write_str("some value of ")?,
        }
        let verb = OPERATORS.iter().find(|(o, _)| *o == self.operator).map_or("?", |(_, verb)| verb);
        write!(f, "{} {verb} ", Shown(&self.key))?;
        match self.values.as_slice() {
            [] => f.write_str("(no value)")?,
            [one] => write!(f, "{one:?}")?,
            many => {
                // A negated operator holds only where *none* of its values matches.
                let negated = self.operator.contains("Not");
                f.write_str(if negated { "any of " } else { "one of " })?;
                for (i, value) in many.iter().enumerate() {
                    write!(f, "{}{value:?}", if i == 0 { "" } else { ", " })?;
                }
            }
        }
        if self.if_exists {
            f.write_str(" or is absent")?;
        }
        write!(f, " ({})", self.operator)
    }
}

/// Text from a document with its control characters escaped.
pub(super) struct Shown<'a>(pub(super) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, test) in self.tests.iter().enumerate() {
            write!(f, "{}{test}", if i == 0 { "" } else { " and " })?;
        }
        Ok(())
    }
}
