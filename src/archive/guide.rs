//! `VERIFY.md`: the auditor's instructions, with the commands for that very archive.

use minijinja::{Environment, Value, context, value::Serde};

use super::Seal;

const TEMPLATE: &str = include_str!("../../reports/VERIFY.md.in");

/// Renders the instructions for the archive that `seal` is going to cover.
///
/// # Errors
/// Where the template does not render: a fault of this release.
pub fn guide(seal: &Seal) -> Result<Vec<u8>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.add_template("VERIFY.md", TEMPLATE)?;
    let mut text = environment.get_template("VERIFY.md")?.render(context! {
        archive => super::seal::archive_name(seal.sequence, seal.kind),
        kind => seal.kind.as_str(),
        assessment => seal.kind.is_assessment(),
        seal => Value::from(Serde(seal)),
        ed25519 => seal.key.algorithm == "ed25519",
        namespace => crate::sign::sshsig::SEAL_NAMESPACE,
    })?;
    // The engine drops the template's last line feed.
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text.into_bytes())
}
