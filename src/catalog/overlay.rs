//! Overlays: a framework built on another one, without touching that one's file.
//!
//! `from` names the framework, `only` the requirements taken over (all, where it names none). A requirement that the overlay
//! holds itself replaces the one of the same id in its place, or is added at the end. So an entry cannot vanish unsaid: who
//! drops one writes an item `not-automated` with the reason, and every report shows it.

use super::{
    Faults,
    raw::{UnvalidatedCatalog, UnvalidatedFile, UnvalidatedFramework, UnvalidatedRequirement},
    suggest::did_you_mean,
};

/// A requirement and the file in which it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolved<'a> {
    pub file: &'a str,
    pub requirement: &'a UnvalidatedRequirement,
}

/// Overlays may build on overlays, but not for ever.
const DEPTH: usize = 8;

/// Returns the requirements of `framework`, which stands in `file`.
pub(super) fn resolve<'a>(
    raw: &'a UnvalidatedCatalog,
    file: &'a UnvalidatedFile,
    framework: &'a UnvalidatedFramework,
    faults: &mut Faults,
) -> Vec<Resolved<'a>> {
    resolve_to(DEPTH, raw, file, framework, faults)
}

fn resolve_to<'a>(
    depth: usize,
    raw: &'a UnvalidatedCatalog,
    file: &'a UnvalidatedFile,
    framework: &'a UnvalidatedFramework,
    faults: &mut Faults,
) -> Vec<Resolved<'a>> {
    let own = framework.requirements.iter().map(|requirement| Resolved { file: &file.shown, requirement });
    let Some(from) = &framework.from else { return own.collect() };
    let named = |file: &&UnvalidatedFile| id_of(file).is_some_and(|id| id == from.value);
    let Some(base) = raw.files.iter().find(named).filter(|_| depth > 0) else {
        let what = match depth {
            0 => format!("the overlay builds on itself, or on too many others, through {:?}", from.value),
            _ => format!("there is no framework {:?} to build on", from.value),
        };
        let help = did_you_mean(&from.value, super::shipped());
        faults.push("unknown-base", (&file.shown, from.line), what, help);
        return own.collect();
    };
    let Some(base_framework) = &base.framework else { return own.collect() };
    let inherited = resolve_to(depth - 1, raw, base, base_framework, faults);
    let mut requirements = chosen(&inherited, framework, &file.shown, faults);
    for ours in own {
        let same = |other: &&mut Resolved<'_>| id(other).is_some() && id(other) == id(&ours);
        match requirements.iter_mut().find(same) {
            Some(theirs) => *theirs = ours,
            None => requirements.push(ours),
        }
    }
    requirements
}

/// Picks what `only` names, in the order of the base.
fn chosen<'a>(
    inherited: &[Resolved<'a>],
    framework: &UnvalidatedFramework,
    shown: &str,
    faults: &mut Faults,
) -> Vec<Resolved<'a>> {
    let known: std::collections::BTreeSet<&str> = inherited.iter().filter_map(id).collect();
    for only in framework.only.iter().filter(|only| !known.contains(only.value.as_str())) {
        let help = did_you_mean(&only.value, known.iter().copied());
        let what = format!("the base has no requirement {:?}", only.value);
        faults.push("unknown-requirement", (shown, only.line), what, help);
    }
    let only: std::collections::BTreeSet<&str> = framework.only.iter().map(|only| only.value.as_str()).collect();
    let wanted = |r: &&Resolved<'_>| only.is_empty() || id(r).is_some_and(|id| only.contains(id));
    inherited.iter().filter(wanted).copied().collect()
}

fn id<'a>(resolved: &Resolved<'a>) -> Option<&'a str> {
    resolved.requirement.id.as_ref().map(|id| id.value.as_str())
}

fn id_of(file: &UnvalidatedFile) -> Option<&str> {
    file.framework.as_ref()?.id.as_ref().map(|id| id.value.as_str())
}
