//! The IAM policy language as service control and resource control policies use it (IAM User Guide, "Grammar of the IAM JSON policy
//! language"). A document that breaks the grammar is an error: nothing is concluded from half of one.

use super::{condition::Condition, json::Json, pattern::Pattern};

/// Longest document read, in bytes: AWS's own limit moves but is far below it.
const LONGEST: usize = 256 << 10;

/// Version of the language; without one it is the older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `2008-10-17`: no variables.
    V2008,
    /// `2012-10-17`: `${…}` are variables.
    V2012,
}

/// Where a document is used; decides which elements it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Service control policy: no Principal.
    ServiceControl,
    /// Resource control policy: each statement names a Principal.
    ResourceControl,
}

/// Effect of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Leaves room; grants nothing.
    Allow,
    /// Forbids.
    Deny,
}

/// Whether a list names what is meant or what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sense {
    /// Action, Resource: what the patterns match.
    Listed,
    /// NotAction, NotResource: everything else.
    Others,
}

/// Action or NotAction, Resource or NotResource. May be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns {
    /// Listed or all others.
    pub sense: Sense,
    /// The patterns, in the document's order.
    pub list: Vec<Pattern>,
}

/// Principals of a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principals {
    /// Principal or NotPrincipal.
    pub sense: Sense,
    /// Pairs of type (`AWS`, `Service`, `Federated`, `CanonicalUser`) and value; the bare `"*"` has the type `*`.
    pub list: Vec<(String, String)>,
}

impl Principals {
    /// True where every principal is meant: `"*"` or `{"AWS": "*"}`.
    pub fn is_everyone(&self) -> bool {
        self.sense == Sense::Listed
            && self.list.iter().any(|(kind, value)| (kind == "*" || kind == "AWS") && value == "*")
    }
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Place in the document, from 0.
    pub index: usize,
    /// Sid, where it has one that is not empty.
    pub sid: Option<String>,
    /// Allow or Deny.
    pub effect: Effect,
    /// Principals; only in resource control policies.
    pub principals: Option<Principals>,
    /// Action or NotAction.
    pub actions: Patterns,
    /// Resource or NotResource.
    pub resources: Patterns,
    /// Condition; empty where there is none.
    pub condition: Condition,
}

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Version of the language.
    pub version: Version,
    /// Id, where it has one.
    pub id: Option<String>,
    /// Statements in order.
    pub statements: Vec<Statement>,
}

/// The document is not one of the policy language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not JSON, nested too deeply, or an object names a key twice.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// Longer than this reader takes.
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// JSON, but outside the document's grammar.
    #[error("{0}")]
    Document(String),
    /// JSON, but a statement is outside the grammar.
    #[error("statement {index}: {fault}")]
    Statement {
        /// Place of the statement, from 0.
        index: usize,
        /// What is wrong.
        fault: String,
    },
}

impl Document {
    /// Reads a document of `kind`.
    ///
    /// # Errors
    /// [`Malformed`] where any part of it is outside the grammar.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed::TooLong);
        }
        let json: Json = serde_json::from_str(text).map_err(|e| Malformed::Json(e.to_string()))?;
        let Json::Object(entries) = json else {
            return Err(Malformed::Document(format!("a policy must be an object, not {}", json.kind())));
        };
        let (mut version, mut id, mut statements) = (Version::V2008, None, None);
        for (key, value) in &entries {
            match key.as_str() {
                "Version" => version = read_version(value).map_err(Malformed::Document)?,
                "Id" => id = Some(text_of("Id", value).map_err(Malformed::Document)?),
                "Statement" => statements = Some(value),
                other => return Err(Malformed::Document(format!("unknown element {other:?}"))),
            }
        }
        let statements = match statements {
            None => return Err(Malformed::Document("Statement is missing".to_owned())),
            Some(Json::List(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let read = |(index, json): (usize, &Json)| {
            Statement::read(index, json, version, kind).map_err(|fault| Malformed::Statement { index, fault })
        };
        Ok(Self { version, id, statements: statements.iter().enumerate().map(read).collect::<Result<_, _>>()? })
    }
}

impl Statement {
    fn read(index: usize, json: &Json, version: Version, kind: Kind) -> Result<Self, String> {
        let Json::Object(entries) = json else {
            return Err(format!("must be an object, not {}", json.kind()));
        };
        let (mut sid, mut effect, mut principals, mut actions, mut resources) = (None, None, None, None, None);
        let mut condition = Condition::default();
        for (key, value) in entries {
            match key.as_str() {
                "Sid" => sid = Some(text_of(key, value)?).filter(|s| !s.is_empty()),
                "Effect" => effect = Some(read_effect(value)?),
                "Principal" | "NotPrincipal" => once(&mut principals, key, read_principals(sense(key), value)?)?,
                // AWS documents that an empty Action or Resource affects nothing, and does not say what an empty NotAction would mean.
                "NotAction" | "NotResource" if matches!(value, Json::List(items) if items.is_empty()) => {
                    return Err(format!("{key} is empty, which has no documented meaning"));
                }
                "Action" | "NotAction" => {
                    let list = texts_of(key, value)?.iter().map(|t| action(t)).collect::<Result<_, _>>()?;
                    once(&mut actions, key, Patterns { sense: sense(key), list })?;
                }
                "Resource" | "NotResource" => {
                    let list = texts_of(key, value)?.iter().map(|t| resource(t, version)).collect::<Result<_, _>>()?;
                    once(&mut resources, key, Patterns { sense: sense(key), list })?;
                }
                "Condition" => condition = Condition::read(value)?,
                other => return Err(format!("unknown element {other:?}")),
            }
        }
        match (kind, &principals) {
            (Kind::ServiceControl, Some(_)) => {
                return Err("a service control policy cannot name a Principal".to_owned());
            }
            (Kind::ResourceControl, None) => return Err("a resource control policy must name a Principal".to_owned()),
            _ => {}
        }
        Ok(Self {
            index,
            sid,
            effect: effect.ok_or("Effect is missing")?,
            principals,
            actions: actions.ok_or("Action or NotAction is missing")?,
            resources: resources.ok_or("Resource or NotResource is missing")?,
            condition,
        })
    }
}

fn sense(key: &str) -> Sense {
    if key.starts_with("Not") { Sense::Others } else { Sense::Listed }
}

/// Fills `slot`, which the other member of the pair (Action and NotAction, …) must not have filled before.
fn once<T>(slot: &mut Option<T>, key: &str, value: T) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{key} cannot stand beside its opposite")),
    }
}

fn read_version(json: &Json) -> Result<Version, String> {
    match json {
        Json::Text(text) if text == "2012-10-17" => Ok(Version::V2012),
        Json::Text(text) if text == "2008-10-17" => Ok(Version::V2008),
        other => Err(format!("Version must be \"2012-10-17\" or \"2008-10-17\", not {other:?}")),
    }
}

fn read_effect(json: &Json) -> Result<Effect, String> {
    match json {
        Json::Text(text) if text == "Allow" => Ok(Effect::Allow),
        Json::Text(text) if text == "Deny" => Ok(Effect::Deny),
        other => Err(format!("Effect must be \"Allow\" or \"Deny\", not {other:?}")),
    }
}

fn text_of(key: &str, json: &Json) -> Result<String, String> {
    match json {
        Json::Text(text) => Ok(text.clone()),
        other => Err(format!("{key} must be a string, not {}", other.kind())),
    }
}

fn texts_of(key: &str, json: &Json) -> Result<Vec<String>, String> {
    match json {
        Json::List(items) => items.iter().map(|item| text_of(key, item)).collect(),
        one => Ok(vec![text_of(key, one)?]),
    }
}

/// An action is `*`, or `service:name` with wildcards.
fn action(text: &str) -> Result<Pattern, String> {
    let pattern = Pattern::action(text);
    match text.split_once(':') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() && !name.contains(':') => Ok(pattern),
        None if pattern.is_any() => Ok(pattern),
        _ => Err(format!("{text:?} is not an action (service:name, or *)")),
    }
}

fn resource(text: &str, version: Version) -> Result<Pattern, String> {
    if text.is_empty() {
        return Err("a resource is empty".to_owned());
    }
    if version == Version::V2012
        && text.rsplit("${").next().is_some_and(|tail| text.contains("${") && !tail.contains('}'))
    {
        return Err(format!("the resource {text:?} has a variable that does not end"));
    }
    Ok(Pattern::resource(text, version))
}

fn read_principals(sense: Sense, json: &Json) -> Result<Principals, String> {
    let list = match json {
        Json::Text(text) if text == "*" => vec![("*".to_owned(), "*".to_owned())],
        Json::Object(entries) => {
            let mut list = Vec::new();
            for (kind, values) in entries {
                if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
                    return Err(format!("unknown kind of principal {kind:?}"));
                }
                list.extend(texts_of(kind, values)?.into_iter().map(|value| (kind.clone(), value)));
            }
            list
        }
        other => return Err(format!("a principal must be \"*\" or an object, not {}", other.kind())),
    };
    Ok(Principals { sense, list })
}

#[cfg(test)]
mod tests;
