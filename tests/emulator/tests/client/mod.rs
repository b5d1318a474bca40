//! A small AWS client: signs, sends over a plain socket, reads one answer. No SDK, so that the emulator is not tested by what it serves.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use orgproof_emulator::Handle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Keys of a caller.
#[derive(Clone)]
pub struct Caller {
    address: String,
    key: String,
    secret: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub code: String,
    pub body: String,
    /// The connection ended before the announced length.
    pub cut: bool,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub fn xml(&self, element: &str) -> String {
        let from = self.body.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
        from.split_once('<').map_or("", |(text, _)| text).to_owned()
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hash(text: &str) -> String {
    base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()))
}

impl Caller {
    /// A named identity of the emulator.
    pub fn named(emulator: &Handle, name: &str) -> Self {
        let environment = emulator.environment_of(name).unwrap();
        let get = |wanted: &str| environment.iter().find(|(n, _)| n == wanted).unwrap().1.clone();
        Self {
            address: get("AWS_ENDPOINT_URL").replace("http://", ""),
            key: get("AWS_ACCESS_KEY_ID"),
            secret: get("AWS_SECRET_ACCESS_KEY"),
            token: None,
        }
    }

    /// The same keys with another secret.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// Assumes a role; the caller that results, or the refusal.
    pub fn assume(&self, account: &str, role: &str, more: &str) -> Result<Self, Reply> {
        let body = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A{account}%3Arole%2F{role}&RoleSessionName=test{more}"
        );
        let reply = self.send("sts", "us-east-1", "/", "", &body);
        if reply.status != 200 {
            return Err(reply);
        }
        Ok(Self {
            address: self.address.clone(),
            key: reply.xml("AccessKeyId"),
            secret: reply.xml("SecretAccessKey"),
            token: Some(reply.xml("SessionToken")),
        })
    }

    /// Calls an operation of a JSON service.
    pub fn json(&self, service: &str, region: &str, operation: &str, params: &Value) -> Reply {
        self.send(service, region, "/", &format!("Service.{operation}"), &params.to_string())
    }

    /// Posts to a REST service.
    pub fn rest(&self, service: &str, region: &str, path: &str, params: &Value) -> Reply {
        self.send(service, region, path, "", &params.to_string())
    }

    /// Follows every page; returns the items and the number of pages that held none.
    pub fn pages(
        &self,
        service: &str,
        region: &str,
        operation: &str,
        member: &str,
        params: &Value,
    ) -> (Vec<Value>, usize) {
        let (mut items, mut empty, mut params) = (Vec::new(), 0, params.clone());
        loop {
            let reply = if operation.starts_with('/') {
                self.rest(service, region, operation, &params)
            } else {
                self.json(service, region, operation, &params)
            };
            assert_eq!(reply.status, 200, "{operation}: {}", reply.body);
            let page = reply.json();
            let found = page[member].as_array().unwrap().clone();
            empty += usize::from(found.is_empty());
            items.extend(found);
            match page.get("NextToken") {
                Some(token) => params["NextToken"] = token.clone(),
                None => return (items, empty),
            }
        }
    }

    fn send(&self, service: &str, region: &str, path: &str, target: &str, body: &str) -> Reply {
        let now = Timestamp::now();
        let (stamp, date) = (now.strftime("%Y%m%dT%H%M%SZ").to_string(), now.strftime("%Y%m%d").to_string());
        let mut headers = vec![("host", self.address.as_str()), ("x-amz-date", stamp.as_str())];
        headers.extend(self.token.as_deref().map(|t| ("x-amz-security-token", t)));
        if !target.is_empty() {
            headers.push(("x-amz-target", target));
        }
        let names: Vec<_> = headers.iter().map(|(n, _)| *n).collect();
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{v}\n")).collect();
        let canonical = format!("POST\n{path}\n\n{lines}\n{}\n{}", names.join(";"), hash(body));
        let scope = format!("{date}/{region}/{service}/aws4_request");
        let mut key = mac(format!("AWS4{}", self.secret).as_bytes(), &date);
        for part in [region, service, "aws4_request"] {
            key = mac(&key, part);
        }
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hash(&canonical));
        let signature = base16ct::lower::encode_string(&mac(&key, &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            self.key,
            names.join(";")
        );
        let sent: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        exchange(
            &self.address,
            &format!(
                "POST {path} HTTP/1.1\r\n{sent}authorization: {authorization}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        )
    }
}

/// Sends raw text and reads the answer to its end.
pub fn exchange(address: &str, request: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A cut connection may end in an error; what came before it counts.
    let _end = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let header = |name: &str| {
        head.lines()
            .find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()))
    };
    let mut reply = Reply {
        status: head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0),
        code: header("x-amzn-errortype").unwrap_or_default(),
        body: body.to_owned(),
        cut: header("content-length").is_some_and(|l| l.parse() != Ok(body.len())),
    };
    if reply.code.is_empty() && reply.status >= 300 {
        reply.code = reply.xml("Code");
    }
    reply
}

/// An empty request body.
pub fn nothing() -> Value {
    json!({})
}
