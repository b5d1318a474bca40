//! Signature Version 4, checked as AWS checks it.
//!
//! Source: "Signature Version 4 signing process", AWS General Reference.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    hash,
    wire::{Request, percent_encode},
};

/// The parts of an `Authorization` header.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub access_key: String,
    pub date: String,
    pub region: String,
    pub service: String,
    signed_headers: Vec<String>,
    signature: String,
}

/// What is wrong with a signature, before AWS's words are put on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// No (readable) Authorization header.
    Missing,
    /// The signature is another than ours.
    Mismatch,
    /// The request's time is more than five minutes away.
    Skewed { signed: String },
}

/// Reads a signature's time.
pub(crate) fn instant(stamp: &str) -> Option<Timestamp> {
    DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).and_then(|t| TimeZone::UTC.to_timestamp(t)).ok()
}

impl Signature {
    /// Reads the Authorization header.
    pub fn read(request: &Request) -> Result<Self, Flaw> {
        let header = request.header("authorization").ok_or(Flaw::Missing)?;
        let rest = header.strip_prefix("AWS4-HMAC-SHA256").ok_or(Flaw::Missing)?;
        let field = |name: &str| {
            rest.split(',')
                .map(str::trim)
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
                .ok_or(Flaw::Missing)
        };
        let scope: Vec<&str> = field("Credential")?.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = scope[..] else { return Err(Flaw::Missing) };
        Ok(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: field("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: field("Signature")?.to_owned(),
        })
    }

    /// Checks time and signature against the caller's secret key.
    pub fn check(&self, request: &Request, secret: &str, now: Timestamp) -> Result<(), Flaw> {
        let stamp = request.header("x-amz-date").ok_or(Flaw::Missing)?;
        let signed = instant(stamp).ok_or(Flaw::Missing)?;
        if (now.as_second() - signed.as_second()).abs() > 300 {
            return Err(Flaw::Skewed { signed: stamp.to_owned() });
        }
        if !stamp.starts_with(&self.date) || !self.signed_headers.iter().any(|h| h == "host") {
            return Err(Flaw::Mismatch);
        }
        let scope = format!("{}/{}/{}/aws4_request", self.date, self.region, self.service);
        let canonical = hash::sha256_hex(self.canonical_request(request).as_bytes());
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}");
        let mut key = hash::hmac(format!("AWS4{secret}").as_bytes(), self.date.as_bytes());
        for part in [self.region.as_str(), self.service.as_str(), "aws4_request"] {
            key = hash::hmac(&key, part.as_bytes());
        }
        let expected = base16ct::lower::encode_string(&hash::hmac(&key, to_sign.as_bytes()));
        if hash::equal(expected.as_bytes(), self.signature.as_bytes()) { Ok(()) } else { Err(Flaw::Mismatch) }
    }

    fn canonical_request(&self, request: &Request) -> String {
        let mut query: Vec<&str> = request.query.split('&').filter(|p| !p.is_empty()).collect();
        query.sort_unstable();
        let query: Vec<String> =
            query.into_iter().map(|p| if p.contains('=') { p.to_owned() } else { format!("{p}=") }).collect();
        let mut headers = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = request
                .headers
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, v)| v.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        // Every service but S3 encodes the already encoded path once more.
        let path = if request.path.is_empty() { "/" } else { &request.path };
        let path = if self.service == "s3" { path.to_owned() } else { percent_encode(path, true) };
        let payload = hash::sha256_hex(&request.body);
        // S3 alone lets a client leave the body out of the signature.
        let stated =
            request.header("x-amz-content-sha256").filter(|h| self.service == "s3" && *h == "UNSIGNED-PAYLOAD");
        let payload = stated.map_or(payload, str::to_owned);
        format!(
            "{}\n{path}\n{}\n{headers}\n{}\n{}",
            request.method,
            query.join("&"),
            self.signed_headers.join(";"),
            payload
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's published example: `GET https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08`.
    fn example() -> Request {
        Request {
            method: "GET".into(),
            path: "/".into(),
            query: "Action=ListUsers&Version=2010-05-08".into(),
            headers: [
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, \
                     Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
                ),
            ]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .to_vec(),
            body: Vec::new(),
        }
    }

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    #[test]
    fn the_published_example_verifies_and_each_change_to_it_does_not() {
        let now: Timestamp = "2015-08-30T12:38:00Z".parse().unwrap();
        let good = example();
        let signature = Signature::read(&good).unwrap();
        assert_eq!(signature.check(&good, SECRET, now), Ok(()));
        assert_eq!(signature.check(&good, "another", now), Err(Flaw::Mismatch));
        let mut query = example();
        query.query.push_str("&Marker=x");
        assert_eq!(signature.check(&query, SECRET, now), Err(Flaw::Mismatch));
        let mut body = example();
        body.body = b"x".to_vec();
        assert_eq!(signature.check(&body, SECRET, now), Err(Flaw::Mismatch));
        let late: Timestamp = "2015-08-30T12:42:00Z".parse().unwrap();
        assert!(matches!(signature.check(&good, SECRET, late), Err(Flaw::Skewed { .. })));
    }
}
