//! One signed request from its first byte to its answer. Pure but for the state: both clocks are arguments.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::{
    authorize::{self, Ask},
    call::Call,
    fault::FaultKind,
    identity::Principal,
    server::Manner,
    services::{self, Asked, s3, sts::Sts},
    signature::{Flaw, Signature},
    state::State,
    wire::{AwsError, Protocol, Reply, Request},
    world::World,
};

/// An answer, and what is remembered of it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub reply: Reply,
    pub request_id: String,
    pub manner: Manner,
    pub service: String,
    pub operation: String,
    pub account: String,
    pub region: String,
    pub error: Option<String>,
}

/// A request that is being answered.
struct Visit<'a> {
    state: &'a State,
    world: &'a World,
    signature: &'a Signature,
    protocol: Protocol,
    asked: &'a Asked,
    request_id: &'a str,
    real: Timestamp,
    scenario: Timestamp,
    serial: u64,
}

/// Answers a request.
pub(crate) fn answer(state: &State, request: &Request, real: Timestamp, instant: Instant) -> Answered {
    let (scenario, world) = state.now();
    let serial = {
        let mut moving = state.moving();
        moving.serial += 1;
        moving.serial
    };
    let request_id = crate::hash::uuid(&["request", &state.declared.id, &serial.to_string()]);
    let signature = match Signature::read(request) {
        Ok(signature) => signature,
        Err(_) => return unsigned(request, request_id),
    };
    let protocol = services::protocol(&signature.service);
    let asked = services::asked(&signature.service, request);
    let visit = Visit {
        state,
        world: &world,
        signature: &signature,
        protocol,
        asked: &asked,
        request_id: &request_id,
        real,
        scenario,
        serial,
    };
    let mut account = String::new();
    let (result, manner) = match visit.authenticate(request) {
        Ok(principal) => {
            account.clone_from(&principal.account);
            visit.serve(&principal, request, instant)
        }
        Err(error) => (Err(error), Manner::Whole),
    };
    let error = result.as_ref().err().map(|e| e.code.clone());
    let mut reply = result.unwrap_or_else(|e| e.reply(protocol, &request_id));
    if protocol == Protocol::Xml {
        reply.headers.push(("date".to_owned(), s3::http_date(scenario)));
    }
    Answered {
        reply,
        manner,
        account,
        error,
        service: signature.service.clone(),
        operation: asked.operation,
        region: signature.region.clone(),
        request_id,
    }
}

fn unsigned(request: &Request, request_id: String) -> Answered {
    let error = AwsError::with_status(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
    Answered {
        reply: error.reply(Protocol::Rest, &request_id),
        manner: Manner::Whole,
        service: "unsigned".into(),
        operation: format!("{} {}", request.method, request.path),
        account: String::new(),
        region: String::new(),
        error: Some(error.code),
        request_id,
    }
}

impl Visit<'_> {
    /// Answers authentication errors with the status that the protocol uses for them.
    fn error(&self, json: &str, query: &str, message: &str) -> AwsError {
        match self.protocol {
            Protocol::Json => AwsError::with_status(400, json, message),
            Protocol::Rest => AwsError::with_status(403, json, message),
            Protocol::Query | Protocol::Xml => AwsError::with_status(403, query, message),
        }
    }

    fn unknown_token(&self) -> AwsError {
        let message = "The security token included in the request is invalid.";
        self.error("UnrecognizedClientException", "InvalidClientTokenId", message)
    }

    fn expired(&self) -> AwsError {
        let message = "The security token included in the request is expired";
        self.error("ExpiredTokenException", "ExpiredToken", message)
    }

    fn authenticate(&self, request: &Request) -> Result<Principal, AwsError> {
        let token = request.header("x-amz-security-token");
        let (secret, principal, session) = match token {
            None => {
                let known = self.state.identities.iter().find(|(_, k, _)| k.access_key == self.signature.access_key);
                let (_, keys, principal) = known.ok_or_else(|| self.unknown_token())?;
                (keys.secret.clone(), principal.clone(), None)
            }
            Some(token) => {
                let (session, keys) = self.state.mint.read(token).ok_or_else(|| self.unknown_token())?;
                if keys.access_key != self.signature.access_key {
                    return Err(self.unknown_token());
                }
                (keys.secret, session.principal(self.world.partition()), Some(session))
            }
        };
        let mut checked = self.signature.check(request, &secret, self.real);
        if self.protocol == Protocol::Xml
            && self.state.options.at.is_some()
            && let Err(Flaw::Skewed { signed }) = &checked
            && let Some(signed) = crate::signature::instant(signed)
        {
            // S3's answers carry the scenario's date, by which clients set the clock that they sign with; and it jumps.
            checked = self.signature.check(request, &secret, signed);
        }
        checked.map_err(|flaw| match flaw {
            Flaw::Missing => self.error("IncompleteSignatureException", "IncompleteSignature", "The signature is incomplete."),
            Flaw::Skewed { signed } => {
                self.error("InvalidSignatureException", "SignatureDoesNotMatch", &format!("Signature expired: {signed} is too far from the time of the server"))
            }
            Flaw::Mismatch => self.error(
                "InvalidSignatureException",
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
            ),
        })?;
        if let Some(session) = session {
            let revoked = token.is_some_and(|t| self.state.moving().ended_sessions.contains(t));
            if revoked || session.ended(self.real, self.scenario) {
                return Err(self.expired());
            }
        }
        let usable = self.world.account(&principal.account).is_none_or(|a| a.state == "ACTIVE");
        let known = self.world.account(&principal.account).is_none()
            || self.world.opted_in(&principal.account, &self.signature.region);
        if usable && known { Ok(principal) } else { Err(self.unknown_token()) }
    }

    /// The account that a call concerns: for AssumeRole, the role's.
    fn subject<'b>(&'b self, principal: &'b Principal) -> &'b str {
        let arn = self.asked.params.get("RoleArn").and_then(serde_json::Value::as_str);
        arn.and_then(|a| a.split(':').nth(4)).unwrap_or(&principal.account)
    }

    fn serve(&self, principal: &Principal, request: &Request, instant: Instant) -> (Result<Reply, AwsError>, Manner) {
        let (service, operation, region) = (&self.signature.service, &self.asked.operation, &self.signature.region);
        let strike = self.state.strike(service, operation, self.subject(principal), region);
        let fault = strike.map(|(kind, _)| kind);
        if let Some(error) = fault.and_then(|kind| self.struck(kind, principal, request)) {
            return (Err(error), Manner::Whole);
        }
        let served = !self.state.options.quotas
            || self.state.moving().quotas.take(service, operation, &principal.account, region, instant);
        if !served {
            return (Err(self.throttled()), Manner::Whole);
        }
        let mut result = self.refused(principal).map_or_else(|| self.run(principal, request), Err);
        let manner = match (fault, strike) {
            (Some(FaultKind::Vanish), _) => Manner::Gone,
            (Some(FaultKind::Slow), Some((_, milliseconds))) => Manner::Slow(Duration::from_millis(milliseconds)),
            (Some(FaultKind::Cut), _) => Manner::Cut,
            _ => Manner::Whole,
        };
        if fault == Some(FaultKind::Lost) {
            result = Err(self.internal());
        }
        if fault == Some(FaultKind::Malformed)
            && let Ok(reply) = &mut result
        {
            reply.body.truncate(reply.body.len() * 2 / 3);
        }
        (result, manner)
    }

    fn struck(&self, kind: FaultKind, principal: &Principal, request: &Request) -> Option<AwsError> {
        match kind {
            FaultKind::Throttle => Some(self.throttled()),
            FaultKind::Internal => Some(self.internal()),
            FaultKind::Conflict => Some(AwsError::with_status(
                409,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation against this resource.",
            )),
            FaultKind::Unavailable => Some(AwsError::with_status(503, "ServiceUnavailable", "Service Unavailable")),
            FaultKind::Deny => Some(self.denied(principal, "")),
            FaultKind::ExpireSession => {
                let token = request.header("x-amz-security-token")?;
                self.state.moving().ended_sessions.insert(token.to_owned());
                Some(self.expired())
            }
            FaultKind::Slow | FaultKind::Cut | FaultKind::Malformed | FaultKind::Lost | FaultKind::Vanish => None,
        }
    }

    fn internal(&self) -> AwsError {
        match self.signature.service.as_str() {
            "securityhub" => AwsError::with_status(500, "InternalException", "Internal server error"),
            "organizations" => AwsError::with_status(
                500,
                "ServiceException",
                "AWS Organizations can't complete your request because of an internal service error.",
            ),
            "account" => AwsError::with_status(500, "InternalServerException", "Internal server error"),
            "s3" => AwsError::with_status(500, "InternalError", "We encountered an internal error. Please try again."),
            _ => AwsError::with_status(500, "InternalFailure", "We encountered an internal error. Please try again."),
        }
    }

    fn throttled(&self) -> AwsError {
        match self.signature.service.as_str() {
            "organizations" => AwsError::new(
                "TooManyRequestsException",
                "You have sent too many requests in too short a period of time.",
            ),
            "sts" => AwsError::new("Throttling", "Rate exceeded"),
            "s3" => AwsError::with_status(503, "SlowDown", "Please reduce your request rate."),
            "securityhub" if self.asked.operation == "DescribeSecurityHubV2" => {
                AwsError::with_status(429, "ThrottlingException", "Rate exceeded")
            }
            "securityhub" => AwsError::with_status(429, "LimitExceededException", "Rate exceeded"),
            "account" => AwsError::with_status(429, "TooManyRequestsException", "Rate exceeded"),
            _ => AwsError::new("ThrottlingException", "Rate exceeded"),
        }
    }

    fn denied(&self, principal: &Principal, because: &str) -> AwsError {
        let action = services::action(&self.signature.service, &self.asked.operation);
        let message = format!("User: {} is not authorized to perform: {action}{because}", principal.arn);
        self.error("AccessDeniedException", "AccessDenied", &message)
    }

    fn refused(&self, principal: &Principal) -> Option<AwsError> {
        if self.signature.service == "sts" {
            return None;
        }
        let action = services::action(&self.signature.service, &self.asked.operation);
        let ask = Ask { principal, action: &action, region: &self.signature.region };
        let refusal = authorize::service_control(self.world, ask)?;
        Some(self.denied(principal, &format!(" {}", refusal.because())))
    }

    fn run(&self, principal: &Principal, request: &Request) -> Result<Reply, AwsError> {
        let Asked { operation, params } = self.asked;
        let (service, region) = (self.signature.service.as_str(), self.signature.region.as_str());
        if service == "s3" {
            if operation == "Unknown" {
                return Err(self.unserved());
            }
            let (_, asked) = s3::asked(request, self.scenario);
            return self.state.buckets.answer(operation, &asked, &principal.account, region);
        }
        let reply = |content_type, body: Vec<u8>| {
            let (status, error_type, headers) = (200, None, Vec::new());
            Reply { status, content_type, error_type, headers, body }
        };
        if service == "sts" {
            let sts = Sts {
                world: self.world,
                mint: &self.state.mint,
                principal,
                auditor: self.state.auditor_arn(),
                region,
                params,
                real: self.real,
                scenario: self.scenario,
                nonce: self.serial,
            };
            let answer = sts.answer(operation, self.request_id).unwrap_or_else(|| Err(self.unserved()));
            return answer.map(|xml| reply("text/xml", xml.into_bytes()));
        }
        let call = Call {
            world: self.world,
            principal,
            service,
            region,
            operation,
            params: params.clone(),
            now: self.scenario,
            empty_pages: self.state.options.empty_pages,
        };
        let answer = services::answer(&call).unwrap_or_else(|| Err(self.unserved()));
        let content_type =
            if self.protocol == Protocol::Json { "application/x-amz-json-1.1" } else { "application/json" };
        answer.map(|value| reply(content_type, value.to_string().into_bytes()))
    }

    fn unserved(&self) -> AwsError {
        let name = format!("{}:{}", self.signature.service, self.asked.operation);
        self.state.moving().unserved.push(name);
        self.error("UnknownOperationException", "InvalidAction", "The emulator does not serve this operation.")
    }
}
