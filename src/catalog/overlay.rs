//! Overlays: a framework built on another one, without touching that one's file.
//!
//! `from` names the framework, `only` the requirements taken over (all, where it names none). A requirement that the overlay
//! holds itself replaces the one of the same id in its place, or is added at the end. So an entry cannot vanish unsaid: who
//! drops one writes an item `not-automated` with the reason, and every report shows it.
//! The criteria of operating effectiveness come down the same way, layer by layer: see [`super::operating`].

use super::{
    Faults,
    operating::Layer,
    raw::{UnvalidatedCatalog, UnvalidatedFile, UnvalidatedFramework, UnvalidatedRequirement},
    suggest::did_you_mean,
};

/// A requirement, the file in which it stands, and what each file says of its criteria.
#[derive(Debug, Clone)]
pub(super) struct Resolved<'a> {
    pub file: &'a str,
    pub requirement: &'a UnvalidatedRequirement,
    /// The file that builds on no other first.
    pub layers: Vec<Layer<'a>>,
}

/// A framework with everything that it takes over.
#[derive(Debug, Default)]
pub(super) struct ResolvedFramework<'a> {
    pub requirements: Vec<Resolved<'a>>,
    /// What each file says of the criteria of the framework as a whole.
    pub layers: Vec<Layer<'a>>,
}

/// Overlays may build on overlays, but not for ever.
const DEPTH: usize = 8;

/// Returns the requirements of `framework`, which stands in `file`.
pub(super) fn resolve<'a>(
    raw: &'a UnvalidatedCatalog,
    file: &'a UnvalidatedFile,
    framework: &'a UnvalidatedFramework,
    faults: &mut Faults,
) -> ResolvedFramework<'a> {
    resolve_to(DEPTH, raw, file, framework, faults)
}

fn resolve_to<'a>(
    depth: usize,
    raw: &'a UnvalidatedCatalog,
    file: &'a UnvalidatedFile,
    framework: &'a UnvalidatedFramework,
    faults: &mut Faults,
) -> ResolvedFramework<'a> {
    let base = base(depth, raw, file, framework, faults);
    let layer = Layer { file: &file.shown, framework: framework.operating.as_ref(), requirement: None };
    let mut requirements = chosen(&base.requirements, framework, &file.shown, faults);
    requirements.iter_mut().for_each(|taken| taken.layers.push(layer));
    let taken = requirements.len();
    for requirement in &framework.requirements {
        let top = Layer { requirement: requirement.operating.as_ref(), ..layer };
        let ours = |layers| Resolved { file: &file.shown, requirement, layers };
        let name = requirement.id.as_ref().map(|id| id.value.as_str());
        let same = |other: &&mut Resolved<'_>| name.is_some() && id(other) == name;
        match requirements.iter_mut().take(taken).find(same) {
            Some(theirs) => {
                let mut layers = std::mem::take(&mut theirs.layers);
                layers.pop();
                layers.push(top);
                *theirs = ours(layers);
            }
            None => requirements.push(ours(vec![top])),
        }
    }
    let layers = base.layers.into_iter().chain([layer]).collect();
    ResolvedFramework { requirements, layers }
}

/// Returns what `framework` builds on; nothing where it stands for itself, or a fault says why there is nothing.
fn base<'a>(
    depth: usize,
    raw: &'a UnvalidatedCatalog,
    file: &'a UnvalidatedFile,
    framework: &'a UnvalidatedFramework,
    faults: &mut Faults,
) -> ResolvedFramework<'a> {
    let Some(from) = &framework.from else { return ResolvedFramework::default() };
    let named = |file: &&UnvalidatedFile| id_of(file).is_some_and(|id| id == from.value);
    let Some(base) = raw.files.iter().find(named).filter(|_| depth > 0) else {
        let what = match depth {
            0 => format!("the overlay builds on itself, or on too many others, through {:?}", from.value),
            _ => format!("there is no framework {:?} to build on", from.value),
        };
        let help = did_you_mean(&from.value, super::shipped());
        faults.push("unknown-base", (&file.shown, from.line), what, help);
        return ResolvedFramework::default();
    };
    let Some(framework) = &base.framework else { return ResolvedFramework::default() };
    resolve_to(depth - 1, raw, base, framework, faults)
}

/// Picks what `only` names, in the order of the base.
fn chosen<'a>(
    inherited: &[Resolved<'a>],
    framework: &UnvalidatedFramework,
    shown: &str,
    faults: &mut Faults,
) -> Vec<Resolved<'a>> {
    let known: std::collections::BTreeSet<&str> = inherited.iter().filter_map(id).collect();
    // Where the base itself is missing, that is the fault to mend.
    let base_is_there = framework.from.is_none() || !inherited.is_empty();
    for only in framework.only.iter().filter(|only| base_is_there && !known.contains(only.value.as_str())) {
        let help = did_you_mean(&only.value, known.iter().copied());
        let what = match &framework.from {
            Some(from) => format!("{:?} has no requirement {:?}", from.value, only.value),
            None => format!("requirement {:?} can be taken over only `from` another framework", only.value),
        };
        faults.push("unknown-requirement", (shown, only.line), what, help);
    }
    let only: std::collections::BTreeSet<&str> = framework.only.iter().map(|only| only.value.as_str()).collect();
    let wanted = |r: &&Resolved<'_>| only.is_empty() || id(r).is_some_and(|id| only.contains(id));
    inherited.iter().filter(wanted).cloned().collect()
}

fn id<'a>(resolved: &Resolved<'a>) -> Option<&'a str> {
    resolved.requirement.id.as_ref().map(|id| id.value.as_str())
}

fn id_of(file: &UnvalidatedFile) -> Option<&str> {
    file.framework.as_ref()?.id.as_ref().map(|id| id.value.as_str())
}
