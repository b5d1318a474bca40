//! `orgproof plan`: discovers, plans, and writes nothing.

use std::fmt::Write as _;

use serde_json::json;

use super::{
    super::{Exit, Failure, Output},
    Setting,
};
use crate::{
    audit::{self, Discovered},
    model::Mode,
    plan::{self, Plan},
};

pub(super) fn run(setting: &Setting, output: &Output) -> Result<Exit, Failure> {
    let config = &setting.config;
    let runtime = super::collect::runtime()?;
    let (discovered, plan) = runtime.block_on(async {
        let aws = super::collect::connect(config, &super::collect::run_id()?).await?;
        let scratch = tempfile::tempdir()?;
        let spool = crate::spool::Spool::create(&scratch.path().join("spool"))?;
        output.progress("asking Organizations who is there …");
        let discovered = audit::discover(&aws, config, &spool).await.map_err(Failure::usage);
        output.progress_done();
        let discovered = discovered?;
        let plan = plan::build(config, &discovered.organization, aws.account(), &discovered.regions);
        Ok::<_, Failure>((discovered, plan))
    })?;
    output.result(&document(&discovered, &plan), || human(&discovered, &plan))?;
    Ok(if discovered.coverage.gap { Exit::Incomplete } else { Exit::Done })
}

fn document(discovered: &Discovered, plan: &Plan) -> serde_json::Value {
    json!({
        "organization": discovered.organization.id,
        "accounts": discovered.organization.accounts.len(),
        "regions": plan.regions,
        "tasks": plan.tasks,
        "budget": plan.budget,
        "discovery": discovered.coverage,
    })
}

fn human(discovered: &Discovered, plan: &Plan) -> String {
    let organization = &discovered.organization;
    let asked = plan.tasks.iter().filter(|t| t.out_of_scope.is_none());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Organization {}: {} accounts, {} Regions, {} tasks ({} central, {} inside the accounts, {} out of scope)",
        organization.id,
        organization.accounts.len(),
        plan.regions.len(),
        plan.tasks.len(),
        asked.clone().filter(|t| t.mode == Mode::Central).count(),
        asked.filter(|t| t.mode == Mode::FanOut).count(),
        plan.tasks.iter().filter(|t| t.out_of_scope.is_some()).count(),
    );
    let mut out: Vec<_> = plan.tasks.iter().filter_map(|t| Some((&t.account, t.out_of_scope.as_ref()?))).collect();
    out.dedup();
    for (account, reason) in out {
        let _ = writeln!(text, "  out of scope: {account} ({reason})");
    }
    let _ =
        writeln!(text, "\n{:<14} {:>10} {:>10} {:>9} {:>12}", "service", "calls", "per second", "buckets", "at quota");
    for service in &plan.budget.services {
        let _ = writeln!(
            text,
            "{:<14} {:>10} {:>10} {:>9} {:>11.0}s",
            service.service, service.calls, service.rate, service.buckets, service.seconds
        );
    }
    let _ = writeln!(
        text,
        "\nAbout {:.0} s at the quotas (services are asked side by side). Volumes that only the answers tell are assumed: \
         1,200 evaluated resources and 1,000 findings per account and Region.",
        plan.budget.seconds
    );
    if discovered.coverage.gap {
        let said = discovered.coverage.error.as_deref().unwrap_or("no reason given");
        let _ = writeln!(text, "Discovery is incomplete ({}): {said}", discovered.coverage.state.as_str());
    }
    text
}
