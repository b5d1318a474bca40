//! One authenticated call, and the paging that all services share.

use base64ct::{Base64UrlUnpadded, Encoding};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{hash, identity::Principal, wire::AwsError, world::World};

/// A call as a service's operation sees it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub world: &'a World,
    pub principal: &'a Principal,
    pub service: &'a str,
    pub region: &'a str,
    pub operation: &'a str,
    /// JSON body, with path labels and query parameters of REST operations merged in.
    pub params: Value,
    /// Scenario time.
    pub now: Timestamp,
    /// Whether some pages come empty, with a token.
    pub empty_pages: bool,
}

impl<'a> Call<'a> {
    /// Returns the caller's account.
    pub fn account(&self) -> &'a str {
        &self.principal.account
    }

    /// Returns a text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str)
    }

    /// Returns a required text parameter.
    ///
    /// # Errors
    /// The service's validation error.
    pub fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.text(name).filter(|t| !t.is_empty()).ok_or_else(|| self.invalid(&format!("{name} is required")))
    }

    /// Returns a list of texts; empty where absent.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.params.get(name).and_then(Value::as_array);
        list.map(|l| l.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// Returns the service's validation error.
    pub fn invalid(&self, message: &str) -> AwsError {
        match self.service {
            "organizations" => AwsError::new("InvalidInputException", message).reason("INVALID_PATTERN"),
            "securityhub" => AwsError::new("InvalidInputException", message),
            "config" => AwsError::new("InvalidParameterValueException", message),
            _ => AwsError::new("ValidationException", message),
        }
    }

    fn bad_token(&self) -> AwsError {
        let message = "The specified next token is invalid.";
        match self.service {
            "organizations" => AwsError::new("InvalidInputException", message).reason("INVALID_NEXT_TOKEN"),
            "config" => AwsError::new("InvalidNextTokenException", message),
            "securityhub" => AwsError::new("InvalidInputException", message),
            _ => AwsError::new("ValidationException", message),
        }
    }

    /// Returns the page size: the caller's wish, checked, up to the service's maximum.
    ///
    /// # Errors
    /// The service's error for a size out of range.
    pub fn page_size(&self, parameter: &str, default: u64, max: u64) -> Result<usize, AwsError> {
        let wish = match self.params.get(parameter) {
            None | Some(Value::Null) => 0,
            Some(Value::String(text)) => {
                text.parse().map_err(|_| self.invalid(&format!("{parameter} is no number")))?
            }
            Some(value) => value.as_u64().ok_or_else(|| self.invalid(&format!("{parameter} is no number")))?,
        };
        if wish > max {
            return Err(match self.service {
                "config" => AwsError::new("InvalidLimitException", format!("The limit must be at most {max}.")),
                "organizations" => {
                    AwsError::new("InvalidInputException", "MaxResults is out of range.").reason("MAX_VALUE_EXCEEDED")
                }
                _ => self.invalid(&format!("{parameter} must be at most {max}")),
            });
        }
        usize::try_from(if wish == 0 { default } else { wish }).map_err(|_| self.invalid(parameter))
    }

    /// What a token is bound to: everything of the request but the page size and the token itself.
    fn binding(&self) -> String {
        let mut params = self.params.clone();
        if let Some(map) = params.as_object_mut() {
            for name in ["NextToken", "MaxResults", "Limit"] {
                map.remove(name);
            }
        }
        hash::hex(&[self.account(), self.region, self.operation, &params.to_string()], 16)
    }

    fn token(&self, at: (usize, usize), after_empty: bool) -> String {
        let binding = self.binding();
        let body = json!([at.0, at.1, after_empty, binding]).to_string();
        let mac = hash::hex(&["token", &body], 12);
        Base64UrlUnpadded::encode_string(format!("{mac}{body}").as_bytes())
    }

    fn read_token(&self) -> Result<((usize, usize), bool), AwsError> {
        let Some(token) = self.text("NextToken").filter(|t| !t.is_empty()) else { return Ok(((0, 0), false)) };
        let read = || {
            let text = String::from_utf8(Base64UrlUnpadded::decode_vec(token).ok()?).ok()?;
            let (mac, body) = (text.get(..12)?, text.get(12..)?);
            let (major, minor, after_empty, binding): (usize, usize, bool, String) = serde_json::from_str(body).ok()?;
            (mac == hash::hex(&["token", body], 12) && binding == self.binding())
                .then_some(((major, minor), after_empty))
        };
        read().ok_or_else(|| self.bad_token())
    }

    /// Whether the page at this place comes empty first: about one in eight, by the place alone.
    fn empty_here(&self, at: (usize, usize)) -> bool {
        self.empty_pages
            && hash::number(&["empty", &self.binding(), &at.0.to_string(), &at.1.to_string()]).is_multiple_of(8)
    }

    /// Cuts one page out of `items`.
    ///
    /// # Errors
    /// The service's error for a token that is not ours or belongs to another request.
    pub fn page<T>(&self, items: Vec<T>, size: usize) -> Result<(Vec<T>, Option<String>), AwsError> {
        let mut items = Some(items);
        self.page_through(1, size, |_| items.take().unwrap_or_default())
    }

    /// Cuts one page out of `parts` lists that are computed one by one.
    ///
    /// # Errors
    /// As [`Call::page`].
    pub fn page_through<T>(
        &self,
        parts: usize,
        size: usize,
        mut part: impl FnMut(usize) -> Vec<T>,
    ) -> Result<(Vec<T>, Option<String>), AwsError> {
        let ((mut major, mut minor), after_empty) = self.read_token()?;
        if !after_empty && self.empty_here((major, minor)) {
            return Ok((Vec::new(), Some(self.token((major, minor), true))));
        }
        let mut out = Vec::new();
        while major < parts {
            let items = part(major);
            let total = items.len();
            let room = size - out.len();
            out.extend(items.into_iter().skip(minor).take(room));
            minor += room;
            if minor < total {
                return Ok((out, Some(self.token((major, minor), false))));
            }
            (major, minor) = (major + 1, 0);
            if out.len() == size && major < parts {
                return Ok((out, Some(self.token((major, minor), false))));
            }
        }
        Ok((out, None))
    }

    /// Answers one page of a long list: only the items of that page are written out.
    ///
    /// # Errors
    /// As [`Call::page`].
    pub fn list_of<T>(
        &self,
        name: &str,
        items: Vec<T>,
        size: usize,
        write: impl Fn(T) -> Value,
    ) -> Result<Value, AwsError> {
        let (items, token) = self.page(items, size)?;
        Ok(listed(name, items.into_iter().map(write).collect(), token))
    }

    /// Answers `{name: items, NextToken}` for one page of `items`.
    ///
    /// # Errors
    /// As [`Call::page`].
    pub fn list(&self, name: &str, items: Vec<Value>, size: usize) -> Result<Value, AwsError> {
        let (items, token) = self.page(items, size)?;
        Ok(listed(name, items, token))
    }
}

/// Builds `{name: items, NextToken}`; no token, no member.
pub(crate) fn listed(name: &str, items: Vec<Value>, token: Option<String>) -> Value {
    let mut answer = json!({ name: items });
    if let Some(token) = token {
        answer["NextToken"] = json!(token);
    }
    answer
}

/// Removes members that are null: AWS leaves out what it has not.
pub(crate) fn compact(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.retain(|_, v| !v.is_null());
    }
    value
}

/// Writes a time as the JSON protocols do: seconds since 1970.
pub(crate) fn epoch(time: Timestamp) -> Value {
    json!(time.as_second())
}

/// Writes a time as Security Hub does.
pub(crate) fn iso(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Returns the latest start of a 12-hour window not after `now`: when periodic checks last ran.
pub(crate) fn last_run(now: Timestamp) -> Timestamp {
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(43_200)).unwrap_or(now)
}
