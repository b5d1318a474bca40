//! Words only: the nouns that every other room speaks in. No I/O, no clock, no decisions beyond "is this well formed".

mod amendment;
mod call;
mod coverage;
mod digest;
mod finding;
mod ids;
mod observation;
mod organization;
mod period;
mod task;
mod timeline;

pub use amendment::{
    Amendment, Approval, Attached, Attestation, AttestationResult, Authentication, Exception, ExceptionResult,
    Revocation, Validity,
};
pub use call::{BodyRef, Call, EvidenceRef, Exchange};
pub use coverage::{Coverage, CoverageState};
pub use digest::{ParseDigestError, Sha256Digest};
pub use finding::{
    Assessment, AssessmentHeader, CheckResult, Counts, Discrepancy, Finding, ItemMode, ItemResult, ResultLine, Status,
};
pub use ids::{AccountId, InvalidId, Region};
pub use observation::{Observation, ObservationStatus, Question, Resource};
pub use organization::{
    Account, AccountState, Organization, OrganizationalUnit, Policy, PolicyTarget, PolicyTypeStatus, Root,
    ServiceAccess,
};
pub use period::Period;
pub use task::{Collector, Mode, PlannedTask, Scope, ScopeReason, TaskId};
pub use timeline::{
    Because, CheckTimeline, Ended, Ending, EnvironmentChange, Failure, Held, Interval, Operated, Operation, PeriodRun,
    PeriodView, Seconds, TimelineRow, Window,
};
