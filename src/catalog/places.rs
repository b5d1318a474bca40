//! Where manual evidence and exceptions point: checklist items by their path and checks by their id, with the nearest known
//! one where somebody slipped.

use super::{Catalog, Check, Framework, How, Item, Requirement, suggest::did_you_mean};

/// A checklist item and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct ItemPlace<'a> {
    /// Its framework.
    pub framework: &'a Framework,
    /// Its requirement.
    pub requirement: &'a Requirement,
    /// The item.
    pub item: &'a Item,
}

impl ItemPlace<'_> {
    /// Returns its path: `framework/requirement/item`.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.framework.id, self.requirement.id, self.item.id)
    }
}

/// Returns every item that a person can confirm: manual, deliberately not automated, or AWS's part.
pub fn confirmable(catalog: &Catalog) -> impl Iterator<Item = ItemPlace<'_>> {
    let requirements = catalog.frameworks.iter().flat_map(|f| f.requirements.iter().map(move |r| (f, r)));
    let items = requirements.flat_map(|(framework, requirement)| {
        requirement.items.iter().map(move |item| ItemPlace { framework, requirement, item })
    });
    items.filter(|place| !matches!(place.item.how, How::Automated { .. }))
}

/// Finds the item that a person can confirm under `framework/requirement/item`, or under `framework/requirement` where that
/// requirement has exactly one.
///
/// # Errors
/// There is none; says which part is unknown, and what was meant perhaps.
pub fn item<'a>(catalog: &'a Catalog, path: &str) -> Result<ItemPlace<'a>, String> {
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let frameworks = &catalog.frameworks;
    let Some(framework) = frameworks.iter().find(|f| f.id == name) else {
        let help = did_you_mean(name, frameworks.iter().map(|f| f.id.as_str()));
        return Err(unknown("framework", name, help, frameworks.iter().map(|f| f.id.as_str())));
    };
    let (requirement, item) = requirement(framework, rest)?;
    let place = |item| ItemPlace { framework, requirement, item };
    let confirmable: Vec<&Item> =
        requirement.items.iter().filter(|i| !matches!(i.how, How::Automated { .. })).collect();
    let ids = || confirmable.iter().map(|i| i.id.as_str());
    match item {
        None if confirmable.is_empty() => {
            Err(format!("every item of {} {} is answered by checks: there is nothing to attest", name, requirement.id))
        }
        None => match confirmable.as_slice() {
            [only] => Ok(place(only)),
            _ => Err(format!("{path} has several items that a person confirms; name one: {}", list(ids()))),
        },
        Some(id) => match requirement.items.iter().find(|i| i.id == id) {
            Some(item) if matches!(item.how, How::Automated { .. }) => {
                Err(format!("item {id} of {name} {} is answered by checks, not by a person", requirement.id))
            }
            Some(item) => Ok(place(item)),
            None => Err(unknown("item", id, did_you_mean(id, ids()), ids())),
        },
    }
}

/// Requirement ids may hold a slash themselves.
fn requirement<'a, 'b>(framework: &'a Framework, rest: &'b str) -> Result<(&'a Requirement, Option<&'b str>), String> {
    let find = |id: &str| framework.requirements.iter().find(|r| r.id == id);
    if let Some(found) = find(rest) {
        return Ok((found, None));
    }
    let (id, item) = rest.rsplit_once('/').map_or((rest, None), |(id, item)| (id, Some(item)));
    find(id).map(|found| (found, item)).ok_or_else(|| {
        let help = did_you_mean(id, framework.requirements.iter().map(|r| r.id.as_str()));
        unknown("requirement", id, help, framework.requirements.iter().map(|r| r.id.as_str()))
    })
}

/// Finds a check by its id.
///
/// # Errors
/// No framework of the catalogue uses one of that id; says what was meant perhaps.
pub fn check<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a Check, String> {
    let ids = || catalog.checks.keys().map(String::as_str);
    catalog.checks.get(id).ok_or_else(|| unknown("check", id, did_you_mean(id, ids()), std::iter::empty()))
}

fn unknown<'a>(what: &str, id: &str, help: Option<String>, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.take(13).collect();
    match (help, known.len()) {
        (Some(help), _) => format!("there is no {what} {id:?}; {help}"),
        (None, 1..=12) => format!("there is no {what} {id:?}; there are: {}", list(known.into_iter())),
        (None, _) => format!("there is no {what} {id:?}; 'orgproof controls show' and 'controls matrix' list them"),
    }
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> Catalog {
        super::super::load(&["cis-aws-3.0".to_owned(), "s3-data-leak".to_owned()], std::path::Path::new(".")).unwrap().0
    }

    #[test]
    fn every_item_that_a_person_confirms_is_found_by_its_path_and_no_other() {
        let catalog = catalog();
        assert!(confirmable(&catalog).count() > 3);
        for place in confirmable(&catalog) {
            assert_eq!(item(&catalog, &place.path()).unwrap().path(), place.path());
        }
        for framework in &catalog.frameworks {
            for requirement in &framework.requirements {
                for automated in requirement.items.iter().filter(|i| matches!(i.how, How::Automated { .. })) {
                    assert!(item(&catalog, &format!("{}/{}/{}", framework.id, requirement.id, automated.id)).is_err());
                }
            }
        }
    }

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let catalog = catalog();
        let path = confirmable(&catalog).next().unwrap().path();
        let slip = path.replacen("cis-aws", "cis-asw", 1);
        assert!(item(&catalog, &slip).unwrap_err().contains("did you mean \"cis-aws-3.0\"?"));
        assert!(item(&catalog, "cis-aws-3.0/99.99/1").unwrap_err().contains("requirement"));
        let id = catalog.checks.keys().next().unwrap();
        assert!(check(&catalog, &format!("{id}x")).unwrap_err().contains("did you mean"));
        assert!(check(&catalog, id).is_ok());
    }
}
