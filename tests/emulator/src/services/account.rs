//! Account Management: which Regions an account has enabled.

use serde_json::json;

use super::Route;
use crate::{
    call::Call,
    wire::{Answer, AwsError},
    world::{DEFAULT_REGIONS, OPT_IN_REGIONS},
};

/// Paths of the served operations.
pub(super) const ROUTES: [Route; 1] = [("POST", "/listRegions", "ListRegions")];

pub(super) fn answer(call: &Call<'_>) -> Option<Answer> {
    (call.operation == "ListRegions").then(|| list_regions(call))
}

fn list_regions(call: &Call<'_>) -> Answer {
    let world = call.world;
    let account = call.text("AccountId").unwrap_or(call.account());
    let central = call.account() == world.org.management
        || world
            .org
            .delegates
            .iter()
            .any(|d| d.account == call.account() && d.services.iter().any(|s| s == "account.amazonaws.com"));
    if account != call.account() && !central {
        let message = format!("User: {} is not authorized to perform: account:ListRegions", call.principal.arn);
        return Err(AwsError::with_status(403, "AccessDeniedException", message));
    }
    let wanted = call.texts("RegionOptStatusContains");
    let mut regions: Vec<_> = DEFAULT_REGIONS.iter().map(|r| (*r, "ENABLED_BY_DEFAULT")).collect();
    regions
        .extend(OPT_IN_REGIONS.iter().map(|r| (*r, if world.opted_in(account, r) { "ENABLED" } else { "DISABLED" })));
    regions.sort_unstable();
    regions.retain(|(_, status)| wanted.is_empty() || wanted.contains(status));
    let items = regions.iter().map(|(r, s)| json!({"RegionName": r, "RegionOptStatus": s})).collect();
    call.list("Regions", items, call.page_size("MaxResults", 20, 50)?)
}
