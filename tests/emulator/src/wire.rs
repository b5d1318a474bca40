//! The shapes on the wire: a request as it arrived, an answer, and AWS's errors in each protocol.

use serde_json::{Value, json};

/// One HTTP request, read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, without `?`.
    pub query: String,
    /// Header names in lower case, values as sent.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// Returns the first header of that (lower case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// awsJson1.1: Organizations, Config.
    Json,
    /// restJson1: Security Hub, Account.
    Rest,
    /// AWS query with XML answers: STS.
    Query,
    /// REST with XML answers: S3.
    Xml,
}

/// An answer ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub error_type: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An error as the service would name it.
#[derive(Debug, Clone)]
pub(crate) struct AwsError {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// The modelled `Reason` of Organizations' exceptions.
    pub reason: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
}

impl AwsError {
    /// Names an error that the service answers with HTTP 400.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// Names an error with its HTTP status.
    pub fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), reason: None, headers: Vec::new() }
    }

    /// Adds the modelled reason.
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Writes the error in the service's protocol.
    pub fn reply(&self, protocol: Protocol, request_id: &str) -> Reply {
        match protocol {
            Protocol::Json => {
                let mut body = json!({"__type": self.code, "message": self.message});
                if let Some(reason) = self.reason {
                    body["Reason"] = json!(reason);
                }
                Reply {
                    status: self.status,
                    content_type: "application/x-amz-json-1.1",
                    error_type: Some(self.code.clone()),
                    headers: Vec::new(),
                    body: body.to_string().into_bytes(),
                }
            }
            Protocol::Rest => Reply {
                status: self.status,
                content_type: "application/json",
                error_type: Some(self.code.clone()),
                headers: Vec::new(),
                body: json!({"Code": self.code, "Message": self.message}).to_string().into_bytes(),
            },
            Protocol::Query => {
                let fault = if self.status >= 500 { "Receiver" } else { "Sender" };
                let body = format!(
                    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{fault}</Type>\
                     <Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                    xml_escape(&self.code),
                    xml_escape(&self.message)
                );
                Reply {
                    status: self.status,
                    content_type: "text/xml",
                    error_type: None,
                    headers: Vec::new(),
                    body: body.into_bytes(),
                }
            }
            Protocol::Xml => {
                let (code, message) = (xml_escape(&self.code), xml_escape(&self.message));
                let body = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message>\
                     <RequestId>{request_id}</RequestId></Error>"
                );
                let (status, headers) = (self.status, self.headers.clone());
                Reply { status, content_type: "application/xml", error_type: None, headers, body: body.into_bytes() }
            }
        }
    }
}

/// What an operation answers.
pub(crate) type Answer = Result<Value, AwsError>;

/// Escapes text for XML content.
pub(crate) fn xml_escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Decodes `%xx` (and `+` in forms).
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Splits a query string or form into decoded pairs.
pub(crate) fn form(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(name, true), percent_decode(value, true))
        })
        .collect()
}

/// Encodes everything but the unreserved characters (RFC 3986), as SigV4 asks.
pub(crate) fn percent_encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
