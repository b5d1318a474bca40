//! Who is calling: long-lived keys and role sessions. Sessions are not stored: the token carries what it grants, under a MAC.

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hash;

/// The caller, once its signature has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// Account that owns the credentials; quotas and policies count against it.
    pub account: String,
    /// ARN as `GetCallerIdentity` reports it.
    pub arn: String,
    /// Unique id as `GetCallerIdentity` reports it.
    pub user_id: String,
    /// ARN that policies compare `aws:PrincipalArn` with: the role, not the session.
    pub principal_arn: String,
    /// True where the credentials are a role session.
    pub is_session: bool,
}

/// What a session token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionToken {
    /// Account of the role.
    pub account: String,
    /// Role name.
    pub role: String,
    /// Role session name.
    pub name: String,
    /// Distinguishes sessions of one role.
    pub nonce: u64,
    /// End by the real clock, in seconds since 1970 (what the SDK's own clock is compared with).
    pub real_end: i64,
    /// End by the scenario clock, in seconds since 1970.
    pub scenario_end: i64,
}

/// A key pair, with the token where it belongs to a session.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub access_key: String,
    pub secret: String,
    pub token: Option<String>,
}

/// Makes and recognises keys.
#[derive(Debug, Clone)]
pub(crate) struct Mint {
    secret: [u8; 32],
}

impl Mint {
    /// Returns a mint whose keys depend on the seed alone.
    pub fn new(seed: &str) -> Self {
        Self { secret: hash::hmac(b"orgproof-emulator", seed.as_bytes()) }
    }

    /// Returns the long-lived keys of a named identity.
    pub fn long_lived(&self, name: &str) -> Keys {
        self.keys("AKIA", name, None)
    }

    /// Issues a session.
    pub fn issue(&self, session: &SessionToken) -> Keys {
        let payload = Base64UrlUnpadded::encode_string(&serde_json::to_vec(session).unwrap_or_default());
        let mac = Base64UrlUnpadded::encode_string(&hash::hmac(&self.secret, payload.as_bytes()));
        let token = format!("{payload}.{mac}");
        self.keys("ASIA", &token, Some(token.clone()))
    }

    /// Reads a token back; `None` where it is not ours or was altered.
    pub fn read(&self, token: &str) -> Option<(SessionToken, Keys)> {
        let (payload, mac) = token.split_once('.')?;
        let mac = Base64UrlUnpadded::decode_vec(mac).ok()?;
        if !hash::equal(&mac, &hash::hmac(&self.secret, payload.as_bytes())) {
            return None;
        }
        let session = serde_json::from_slice(&Base64UrlUnpadded::decode_vec(payload).ok()?).ok()?;
        Some((session, self.keys("ASIA", token, Some(token.to_owned()))))
    }

    fn keys(&self, prefix: &str, name: &str, token: Option<String>) -> Keys {
        let id = hash::hmac(&self.secret, format!("id {name}").as_bytes());
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let id: String = id.iter().take(16).map(|b| letters[usize::from(b % 32)] as char).collect();
        let secret = Base64::encode_string(&hash::hmac(&self.secret, format!("secret {name}").as_bytes()));
        Keys { access_key: format!("{prefix}{id}"), secret: secret.chars().take(40).collect(), token }
    }
}

impl SessionToken {
    /// Returns whether the session has ended by either clock.
    pub fn ended(&self, real: Timestamp, scenario: Timestamp) -> bool {
        real.as_second() >= self.real_end || scenario.as_second() >= self.scenario_end
    }

    /// Returns the session's identity.
    pub fn principal(&self, partition: &str) -> Principal {
        let Self { account, role, name, .. } = self;
        Principal {
            account: account.clone(),
            arn: format!("arn:{partition}:sts::{account}:assumed-role/{role}/{name}"),
            user_id: format!("{}:{name}", role_id(account, role)),
            principal_arn: format!("arn:{partition}:iam::{account}:role/{role}"),
            is_session: true,
        }
    }
}

/// Returns a role's unique id.
pub(crate) fn role_id(account: &str, role: &str) -> String {
    format!("AROA{}", hash::hex(&["role", account, role], 17).to_uppercase())
}
