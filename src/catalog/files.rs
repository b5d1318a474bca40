//! Where a catalogue's files come from: shipped inside the binary, written by the user, or kept in an archive.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::Path,
};

use toml::de::DeValue;

use super::{
    Catalog, Check, Faults,
    raw::{UnvalidatedCatalog, UnvalidatedFile},
    read,
    suggest::did_you_mean,
    validate::{Identifiers, every_check, validate},
};
use crate::model::Sha256Digest;

/// The files that make up a catalogue, by path: what an archive keeps under `data/inputs/catalog/`.
///
/// Shipped files keep their paths (`frameworks/…`, `checks/…`), the user's own lie under `own/`, and `catalog.toml` lists
/// what was asked for, in order.
pub type CatalogFiles = BTreeMap<String, Vec<u8>>;

/// The name of the file that lists what was asked for.
const INDEX: &str = "catalog.toml";

/// Every file of `controls/checks` and `controls/frameworks`, by path, as built into the program.
static SHIPPED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// Returns the ids of the shipped frameworks, sorted.
pub fn shipped() -> Vec<&'static str> {
    let frameworks = SHIPPED.iter().filter_map(|(path, _)| path.strip_prefix("frameworks/")?.strip_suffix(".toml"));
    frameworks.collect()
}

/// Returns every shipped check by id, whether a framework uses it or not: what an own framework may build on.
///
/// # Errors
/// All faults at once; what is shipped has none.
pub fn shipped_checks() -> Result<BTreeMap<String, Check>, Faults> {
    let mut faults = Faults::default();
    let checks = SHIPPED.iter().filter(|(path, _)| path.starts_with("checks/"));
    let sources: Vec<_> = checks.map(|file| Source::shipped(file, false)).collect();
    let raw = read_all(&sources, &mut faults);
    every_check(&raw, faults)
}

/// Loads the frameworks that were asked for: ids of shipped ones, or paths (relative to `base`) of the user's own files.
///
/// A file of the user's own may hold a framework, checks, or both; its checks serve every framework that is asked for with
/// it, and those of a file without a framework that nobody uses stand for themselves, as a framework of the file's name.
/// Returns the catalogue and the files that rebuild it with [`Catalog::from_files`].
///
/// # Errors
/// All faults at once: unknown frameworks, unreadable files, and whatever is wrong in them.
pub fn load(wanted: &[String], base: &Path) -> Result<(Catalog, CatalogFiles), Faults> {
    let mut faults = Faults::default();
    let mut sources: Vec<Source> = Vec::new();
    for entry in wanted {
        let Some(source) = Source::find(entry, base, &sources, &mut faults) else { continue };
        if sources.iter().any(|other| other.shown == source.shown) {
            faults.add("duplicate-framework", (entry, 0), format!("{entry:?} is asked for twice"));
        } else {
            sources.push(source);
        }
    }
    let index = index(sources.iter().map(|source| source.path.as_str()));
    let checks = SHIPPED.iter().filter(|(path, _)| path.starts_with("checks/"));
    sources.extend(checks.map(|file| Source::shipped(file, false)));
    let mut raw = read_all(&sources, &mut faults);
    let bases = bases(&mut raw, &mut faults);
    sources.extend(bases);

    let catalog = validate(&raw, Sha256Digest::of([]), Identifiers::Checked, faults)?;
    let used: BTreeSet<&str> = catalog.checks.keys().map(String::as_str).collect();
    let holds_used = |file: &UnvalidatedFile| {
        file.checks.iter().filter_map(|check| check.id.as_ref()).any(|id| used.contains(id.value.as_str()))
    };
    let needed: BTreeSet<&str> = raw
        .files
        .iter()
        .filter(|file| !file.path.starts_with("checks/") || holds_used(file))
        .map(|file| file.path.as_str())
        .collect();
    let kept = sources.into_iter().filter(|source| needed.contains(source.path.as_str()));
    let mut files: CatalogFiles = kept.map(|source| (source.path, source.bytes)).collect();
    files.insert(INDEX.to_owned(), index.into_bytes());
    Ok((Catalog { digest: digest(&files), ..catalog }, files))
}

impl Catalog {
    /// Rebuilds a catalogue from the files that [`load`] returned, with the same content and digest.
    ///
    /// Identifiers are not looked up in AWS's lists again: those move on, a sealed catalogue does not.
    ///
    /// # Errors
    /// All faults at once, where the files are not a catalogue.
    pub fn from_files(files: &CatalogFiles) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let wanted = wanted(files, &mut faults);
        let rest = files.keys().filter(|path| *path != INDEX && !wanted.contains(path)).cloned();
        let mut sources = Vec::new();
        for path in wanted.iter().cloned().chain(rest) {
            match files.get(&path) {
                Some(bytes) => {
                    let wanted = wanted.contains(&path);
                    sources.push(Source { shown: path.clone(), path, wanted, bytes: bytes.clone() });
                }
                None => {
                    faults.add("unreadable-file", (INDEX, 0), format!("{path:?} is listed, but there is no such file"))
                }
            }
        }
        let raw = read_all(&sources, &mut faults);
        validate(&raw, digest(files), Identifiers::AsSealed, faults)
    }
}

/// Returns the digest that a seal pins: SHA-256 over one line `path NUL sha256-hex LF` for each file, in the bytewise
/// order of the paths.
pub fn digest(files: &CatalogFiles) -> Sha256Digest {
    let mut lines = String::new();
    for (path, bytes) in files {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{path}\0{}", Sha256Digest::of(bytes));
    }
    Sha256Digest::of(lines)
}

/// A file on its way in.
pub(super) struct Source {
    /// As faults name it.
    pub shown: String,
    /// Path in the archive.
    pub path: String,
    /// Whether its framework was asked for.
    pub wanted: bool,
    bytes: Vec<u8>,
}

impl Source {
    fn shipped((path, bytes): &(&str, &[u8]), wanted: bool) -> Self {
        Self { shown: (*path).to_owned(), path: (*path).to_owned(), wanted, bytes: bytes.to_vec() }
    }

    /// Finds what an entry of `[catalog] frameworks` means.
    fn find(entry: &str, base: &Path, others: &[Self], faults: &mut Faults) -> Option<Self> {
        let path = format!("frameworks/{entry}.toml");
        if let Some(file) = SHIPPED.iter().find(|(shipped, _)| *shipped == path) {
            return Some(Self::shipped(file, true));
        }
        if !entry.contains('/') && !entry.ends_with(".toml") {
            let what = format!("no framework {entry:?} is shipped");
            let known = shipped();
            let help = did_you_mean(entry, known.iter().copied()).unwrap_or_else(|| {
                format!("shipped are {}; a file of your own is named by its path", known.join(", "))
            });
            faults.push("unknown-framework", (entry, 0), what, Some(help));
            return None;
        }
        match std::fs::read(base.join(entry)) {
            Ok(bytes) => Some(Self { shown: entry.to_owned(), path: own_path(entry, others), wanted: true, bytes }),
            Err(error) => {
                let help = Some("give its path relative to orgproof.toml".to_owned());
                faults.push("unreadable-file", (entry, 0), format!("the file cannot be read: {error}"), help);
                None
            }
        }
    }
}

/// Returns the path in the archive of the user's own file `entry`, unlike those of `others`.
fn own_path(entry: &str, others: &[Source]) -> String {
    let name = Path::new(entry).file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let mut path = format!("own/{name}.toml");
    let mut number = 2;
    while others.iter().any(|other| other.path == path) {
        path = format!("own/{name}-{number}.toml");
        number += 1;
    }
    path
}

fn index<'a>(paths: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::from("# The files that were asked for, in order.\nfiles = [\n");
    for path in paths {
        let _ = writeln!(text, "  {path:?},");
    }
    text.push_str("]\n");
    text
}

/// Reads the index of an archived catalogue.
fn wanted(files: &CatalogFiles, faults: &mut Faults) -> Vec<String> {
    let text = files.get(INDEX).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let table = text.and_then(|text| toml::de::DeTable::parse(text).ok());
    let list = table.as_ref().and_then(|table| table.get_ref().get("files"));
    let Some(DeValue::Array(values)) = list.map(toml::Spanned::get_ref) else {
        faults.add("unreadable-file", (INDEX, 0), "it has to list the files that were asked for".to_owned());
        return Vec::new();
    };
    values.iter().filter_map(|value| value.get_ref().as_str().map(str::to_owned)).collect()
}

/// Reads the shipped frameworks that overlays build on and that were not asked for themselves.
fn bases(raw: &mut UnvalidatedCatalog, faults: &mut Faults) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut at = 0;
    while let Some(file) = raw.files.get(at) {
        at += 1;
        let Some(from) = file.framework.as_ref().and_then(|framework| framework.from.as_ref()) else { continue };
        let path = format!("frameworks/{}.toml", from.value);
        let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == path);
        if let Some(shipped) = shipped.filter(|_| raw.files.iter().all(|file| file.path != path)) {
            let source = Source::shipped(shipped, false);
            raw.files.extend(read_all(std::slice::from_ref(&source), faults).files);
            sources.push(source);
        }
    }
    sources
}

/// Parses every source and checks that a shipped framework is called what its file is called.
fn read_all(sources: &[Source], faults: &mut Faults) -> UnvalidatedCatalog {
    let mut catalog = UnvalidatedCatalog::default();
    for source in sources {
        let Ok(text) = std::str::from_utf8(&source.bytes) else {
            faults.add("unreadable-file", (&source.shown, 0), "the file is not UTF-8 text".to_owned());
            continue;
        };
        let file = read::read(source, text, faults);
        let id = file.framework.as_ref().and_then(|framework| framework.id.as_ref());
        if let (Some(name), Some(id)) = (source.path.strip_prefix("frameworks/"), id)
            && name.strip_suffix(".toml") != Some(id.value.as_str())
        {
            let what = format!("framework {:?} lies in a file of another name", id.value);
            faults.add("id-not-file-name", (&source.shown, id.line), what);
        }
        catalog.files.push(file);
    }
    catalog
}
