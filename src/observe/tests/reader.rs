//! The organisation, read from its answers: nothing and nobody may vanish.

use serde_json::json;

use super::*;
use crate::{model::AccountState, observe::OrganizationUnreadable};

fn spoil(spoil: impl FnOnce(&mut World)) -> Observed {
    let mut world = World::new(Mode::FanOut);
    spoil(&mut world);
    world.observe()
}

fn id() -> crate::model::TaskId {
    task(AUDIT, HOME, Collector::Organization)
}

#[test]
fn accounts_keep_their_state_place_and_record() {
    let organization = World::new(Mode::FanOut).observe().organization.unwrap();
    let seen: Vec<_> =
        organization.accounts.iter().map(|a| (a.id.as_str(), a.state, a.parent.as_deref().unwrap())).collect();
    assert_eq!(
        seen,
        [
            (fixture::MANAGEMENT, AccountState::Active, "r-1"),
            (AUDIT, AccountState::Active, "ou-1-a"),
            (MEMBER, AccountState::Active, "ou-1-a"),
            (fixture::SUSPENDED, AccountState::Suspended, "ou-1-a"),
        ]
    );
    assert!(organization.accounts.iter().all(|a| a.evidence.is_some()));
    assert_eq!(organization.path_to(MEMBER), ["r-1", "ou-1-a", MEMBER]);
    assert!(organization.policies.iter().all(|p| p.document.is_some() && p.targets.is_some()));
}

#[test]
fn an_account_without_state_or_status_is_unknown_and_stays() {
    let accounts = json!({"Accounts": [{"Id": MEMBER, "Paths": ["o-1/r-1/ou-1-a/100000000003/"]}, {"Id": AUDIT, "State": "NEW_STATE"}]});
    let observed = spoil(|world| {
        world.set(&id(), "ListAccounts", &accounts);
        world.attempts.get_mut(&id()).unwrap().retain(|a| a.operation != "ListAccountsForParent");
    });
    let organization = observed.organization.unwrap();
    assert!(organization.accounts.iter().all(|a| a.state == AccountState::Unknown));
    let parents: Vec<_> = organization.accounts.iter().map(|a| a.parent.as_deref()).collect();
    assert_eq!(parents, [None, Some("ou-1-a")], "a path names the parent where no listing does");
}

#[test]
fn an_account_that_appears_only_under_its_parent_is_not_lost() {
    let observed = spoil(|world| {
        let accounts = json!({"Accounts": [{"Id": AUDIT, "State": "ACTIVE"}]});
        world.set(&id(), "ListAccounts", &accounts);
    });
    assert_eq!(observed.organization.unwrap().accounts.len(), 4);
}

#[test]
fn an_unfinished_list_of_accounts_is_no_organisation() {
    let unfinished = |operation: &'static str| {
        spoil(|world| {
            let mut body = world.get(&id(), operation);
            body["NextToken"] = json!("more");
            world.set(&id(), operation, &body);
        })
    };
    for operation in ["ListAccounts", "ListRoots"] {
        let observed = unfinished(operation);
        assert_eq!(observed.organization, None);
        assert_eq!(observed.organization_unreadable, Some(OrganizationUnreadable::Missing(operation)));
    }
    let unattached = unfinished("ListTargetsForPolicy").organization.unwrap();
    assert!(unattached.policies.iter().any(|p| p.targets.is_none()), "an unfinished list of targets is no list");
}

#[test]
fn a_malformed_answer_names_itself() {
    let observed = spoil(|world| world.set(&id(), "ListAccounts", &json!({"Accounts": [{"Id": "12"}]})));
    let Some(OrganizationUnreadable::Malformed { operation, .. }) = observed.organization_unreadable else { panic!() };
    assert_eq!(operation, "ListAccounts");
    assert!(observed.contradicted.contains_key(&id()));
}
