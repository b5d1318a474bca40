//! The auditor's instructions: `VERIFY.md` with the commands for that very archive, and the text beside a proof file.

use minijinja::{Environment, Value, context, value::Serde};

use super::{Seal, Statement, proof::Proof};

/// The whole texts, and the commands that they share.
const TEMPLATES: [(&str, &str); 4] = [
    ("VERIFY.md", include_str!("../../reports/VERIFY.md.in")),
    ("PROOF.md", include_str!("../../reports/PROOF.md.in")),
    ("signature.md", include_str!("../../reports/verify/signature.md.in")),
    ("place.md", include_str!("../../reports/verify/place.md.in")),
];

/// Renders the instructions for the archive that `seal` is going to cover.
///
/// # Errors
/// Where the template does not render: a fault of this release.
pub fn guide(seal: &Seal) -> Result<Vec<u8>, minijinja::Error> {
    render("VERIFY.md", facts(seal))
}

/// Renders the instructions for the proof file `name`.
///
/// # Errors
/// Where the template does not render: a fault of this release.
pub fn proof_guide(name: &str, proof: &Proof) -> Result<Vec<u8>, minijinja::Error> {
    let seals = proof.parts.iter().filter_map(|part| Statement::parse(part.files.seal.as_bytes()).ok());
    let parts: Vec<Value> = proof
        .parts
        .iter()
        .zip(seals)
        .map(|(part, statement)| {
            context! {
                shown => part.records.disclosed.len(),
                tally => part.tally.is_some(),
                tokens => part.tokens.len(),
                ..facts(&statement.predicate)
            }
        })
        .collect();
    render("PROOF.md", context! { proof => name, parts, tool => env!("CARGO_PKG_VERSION") })
}

fn facts(seal: &Seal) -> Value {
    context! {
        archive => super::seal::archive_name(seal.sequence, seal.kind),
        kind => seal.kind.as_str(),
        assessment => seal.kind.is_assessment(),
        seal => Value::from(Serde(seal)),
        ed25519 => seal.key.algorithm == "ed25519",
        namespace => crate::sign::sshsig::SEAL_NAMESPACE,
    }
}

fn render(name: &str, facts: Value) -> Result<Vec<u8>, minijinja::Error> {
    let mut environment = Environment::new();
    for (name, template) in TEMPLATES {
        environment.add_template(name, template)?;
    }
    let mut text = environment.get_template(name)?.render(facts)?;
    // The engine drops the template's last line feed.
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text.into_bytes())
}
