//! Why a run can't begin, and why one can't go on.

use crate::model::{AccountId, Region};

/// The organisation can't be reached as configured: nothing has been written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The standard chain found none.
    #[error(
        "no AWS credentials found ({said}); set AWS_PROFILE or AWS_ACCESS_KEY_ID, log in with `aws sso login`, or run with an \
         instance or task role of the audit account"
    )]
    NoCredentials {
        /// The chain's words.
        said: String,
    },
    /// AWS does not accept the credentials.
    #[error("AWS refuses the credentials ({said}); check with `aws sts get-caller-identity` and the machine's clock")]
    CredentialsRefused {
        /// AWS's words.
        said: String,
    },
    /// STS did not answer.
    #[error(
        "can't reach AWS STS in {region} ({said}); check home_region, network, proxy (HTTPS_PROXY) and overridden endpoints \
         (AWS_ENDPOINT_URL)"
    )]
    Unreachable {
        /// Home Region.
        region: Region,
        /// What happened.
        said: String,
    },
    /// The answer names no account.
    #[error("STS's answer to GetCallerIdentity names no account ({said}): is the endpoint AWS's?")]
    NoIdentity {
        /// What was there instead.
        said: String,
    },
    /// There is no organisation, or these credentials may not read it.
    #[error(
        "the organization can't be read with {principal} ({said}); run with the management account or a delegated administrator \
         that may call organizations:Describe* and organizations:List*"
    )]
    NoOrganization {
        /// Who asked.
        principal: String,
        /// What AWS said.
        said: String,
    },
    /// The aggregator is not there.
    #[error(
        "the Config aggregator {name:?} can't be read in {region} ({said}); set [config] aggregator to one that exists in \
         home_region, or to \"\" to do without"
    )]
    NoAggregator {
        /// Its name in the configuration.
        name: String,
        /// Home Region.
        region: Region,
        /// What AWS said.
        said: String,
    },
    /// The central account may not list its Regions.
    #[error(
        "can't list the Regions of account {account} ({said}); allow account:ListRegions or name the Regions in orgproof.toml"
    )]
    NoRegions {
        /// The audit account.
        account: AccountId,
        /// What happened.
        said: String,
    },
}

/// The run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Abort {
    /// AWS's clock and ours disagree.
    #[error(
        "this machine's clock and AWS's disagree, so no time in this run could be trusted ({said}); set the clock and run again"
    )]
    Clock {
        /// What AWS said.
        said: String,
    },
    /// The disk refused evidence.
    #[error("the evidence can't be written ({said}); free space where the store lies, then run again")]
    Sink {
        /// What the system said.
        said: String,
    },
    /// The audit account's own credentials are gone.
    #[error("the credentials of this run have ended and there are no others ({said}); renew them")]
    Credentials {
        /// What was said.
        said: String,
    },
    /// There is no organisation to audit from here.
    #[error(
        "the organization can't be read with {principal} ({said}); run with the management account or a delegated administrator \
         that may call organizations:Describe* and organizations:List*"
    )]
    Organization {
        /// Who asked.
        principal: String,
        /// What AWS said.
        said: String,
    },
}
