//! STS: who am I, and role sessions. Served apart from the others, because it makes credentials.

use jiff::{SignedDuration, Timestamp};

use crate::{
    authorize::{self, Ask},
    estate::wildcard,
    identity::{Mint, Principal, SessionToken, role_id},
    wire::{AwsError, xml_escape},
    world::World,
};

/// What STS needs to know beside the call.
#[derive(Debug)]
pub(crate) struct Sts<'a> {
    pub world: &'a World,
    pub mint: &'a Mint,
    pub principal: &'a Principal,
    /// ARN of the identity that the members' roles trust.
    pub auditor: &'a str,
    pub region: &'a str,
    pub params: &'a serde_json::Value,
    pub real: Timestamp,
    pub scenario: Timestamp,
    pub nonce: u64,
}

impl Sts<'_> {
    /// Answers with XML; `None` where the operation is not served.
    pub fn answer(&self, operation: &str, request_id: &str) -> Option<Result<String, AwsError>> {
        let result = match operation {
            "GetCallerIdentity" => Ok(self.caller()),
            "AssumeRole" => self.assume(),
            _ => return None,
        };
        Some(result.map(|inner| {
            format!(
                "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{inner}\
                 </{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
            )
        }))
    }

    fn caller(&self) -> String {
        let Principal { account, arn, user_id, .. } = self.principal;
        format!("<Arn>{}</Arn><UserId>{}</UserId><Account>{account}</Account>", xml_escape(arn), xml_escape(user_id))
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(serde_json::Value::as_str)
    }

    fn denied(&self, action: &str, role: &str, because: &str) -> AwsError {
        let message =
            format!("User: {} is not authorized to perform: {action} on resource: {role}{because}", self.principal.arn);
        AwsError::with_status(403, "AccessDenied", message)
    }

    fn assume(&self) -> Result<String, AwsError> {
        let validation = |text: &str| AwsError::new("ValidationError", text);
        let arn = self.param("RoleArn").ok_or_else(|| validation("RoleArn is required"))?;
        let name = self.param("RoleSessionName").ok_or_else(|| validation("RoleSessionName is required"))?;
        if name.len() < 2 || name.len() > 64 {
            return Err(validation("RoleSessionName must have between 2 and 64 characters"));
        }
        let seconds = self.param("DurationSeconds").map_or(Ok(3600), str::parse).unwrap_or(0);
        let longest = self.world.org.auditor.max_session_seconds;
        if seconds < 900 || seconds > longest.max(3600) {
            return Err(validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
        }
        if self.principal.is_session && seconds > 3600 {
            return Err(validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let (account, role) = self.target(arn)?;
        self.check_trust(arn, &account)?;
        let session = SessionToken {
            account,
            role,
            name: name.to_owned(),
            nonce: self.nonce,
            real_end: self.real.as_second() + seconds,
            scenario_end: self.scenario.as_second() + seconds,
        };
        Ok(self.granted(&session, seconds))
    }

    /// Finds the role; an absent account or role is refused like any other, so that nobody can probe.
    fn target(&self, arn: &str) -> Result<(String, String), AwsError> {
        let refused = || self.denied("sts:AssumeRole", arn, "");
        let mut parts = arn.split(':').skip(4);
        let (Some(id), Some(resource)) = (parts.next(), parts.next()) else {
            return Err(AwsError::new("ValidationError", format!("{arn} is invalid")));
        };
        let role = resource.strip_prefix("role/").ok_or_else(refused)?;
        let account = self.world.account(id).ok_or_else(refused)?;
        if account.state != "ACTIVE" || !account.role || role != self.world.org.auditor.role {
            return Err(refused());
        }
        Ok((id.to_owned(), role.to_owned()))
    }

    fn check_trust(&self, arn: &str, id: &str) -> Result<(), AwsError> {
        let auditor = &self.world.org.auditor;
        let Some(account) = self.world.account(id) else { return Err(self.denied("sts:AssumeRole", arn, "")) };
        let trusted = account.trusts.as_deref().unwrap_or(self.auditor);
        if self.principal.arn != trusted && self.principal.principal_arn != trusted {
            return Err(self.denied("sts:AssumeRole", arn, ""));
        }
        if auditor.external_id.is_some() && self.param("ExternalId") != auditor.external_id.as_deref() {
            return Err(self.denied("sts:AssumeRole", arn, ""));
        }
        if let Some(identity) = self.param("SourceIdentity")
            && !wildcard(&auditor.source_identity, identity)
        {
            return Err(self.denied("sts:SetSourceIdentity", arn, ""));
        }
        let ask = Ask { principal: self.principal, action: "sts:AssumeRole", region: self.region };
        let refusal = authorize::service_control(self.world, ask)
            .or_else(|| authorize::resource_control(self.world, account, ask));
        match refusal {
            Some(refusal) => Err(self.denied("sts:AssumeRole", arn, &format!(" {}", refusal.because()))),
            None => Ok(()),
        }
    }

    fn granted(&self, session: &SessionToken, seconds: i64) -> String {
        let keys = self.mint.issue(session);
        let end = self.real.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(self.real);
        let source = self
            .param("SourceIdentity")
            .map_or_else(String::new, |s| format!("<SourceIdentity>{}</SourceIdentity>", xml_escape(s)));
        let principal = session.principal(self.world.partition());
        format!(
            "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
             <Expiration>{}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>{}:{}</AssumedRoleId><Arn>{}</Arn>\
             </AssumedRoleUser>{source}",
            xml_escape(&keys.access_key),
            xml_escape(&keys.secret),
            xml_escape(keys.token.as_deref().unwrap_or_default()),
            end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            role_id(&session.account, &session.role),
            xml_escape(&session.name),
            xml_escape(&principal.arn),
        )
    }
}
