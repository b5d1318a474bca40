//! Reading an organisation file, and refusing one whose references lead nowhere.

use std::path::Path;

use crate::Organization;

/// A file that can't be read as an organisation.
#[derive(Debug)]
pub struct OrganizationError(pub(crate) String);

impl std::fmt::Display for OrganizationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OrganizationError {}

impl Organization {
    /// Reads an organisation from TOML text.
    ///
    /// # Errors
    /// [`OrganizationError`] names the line, or the reference that leads nowhere.
    pub fn parse(text: &str) -> Result<Self, OrganizationError> {
        let organization: Self = toml::from_str(text).map_err(|e| OrganizationError(e.to_string()))?;
        organization.check()?;
        Ok(organization)
    }

    /// Reads an organisation file.
    ///
    /// # Errors
    /// As [`Organization::parse`], and where the file can't be read.
    pub fn read(path: &Path) -> Result<Self, OrganizationError> {
        let text = std::fs::read_to_string(path).map_err(|e| OrganizationError(format!("{}: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| OrganizationError(format!("{}: {e}", path.display())))
    }

    fn check(&self) -> Result<(), OrganizationError> {
        let fault = |text: String| Err(OrganizationError(text));
        let unit = |name: &str| self.units.iter().any(|u| u.name == name);
        let known =
            |id: &str| self.accounts.iter().chain(self.changes.iter().flat_map(|c| &c.accounts)).any(|a| a.id == id);
        for (i, child) in self.units.iter().enumerate() {
            if let Some(parent) = &child.parent
                && !self.units[..i].iter().any(|u| &u.name == parent)
            {
                return fault(format!("unit {:?}: its parent {parent:?} must be declared before it", child.name));
            }
        }
        for account in &self.accounts {
            if let Some(name) = &account.unit
                && !unit(name)
            {
                return fault(format!("account {}: there is no unit {name:?}", account.id));
            }
        }
        for policy in &self.policies {
            if serde_json::from_str::<serde_json::Value>(&policy.document).is_err() {
                return fault(format!("policy {}: its document is no JSON", policy.id));
            }
            if let Some(target) = policy.targets.iter().find(|t| *t != "root" && *t != "*" && !unit(t) && !known(t)) {
                return fault(format!("policy {}: there is no target {target:?}", policy.id));
            }
        }
        let scoped = self.results.iter().map(|r| &r.scope).chain(self.targets.iter().map(|t| &t.scope));
        for scope in scoped.chain(self.populations.iter().map(|p| &p.scope)) {
            if let Some(id) = scope.accounts.iter().find(|id| !known(id)) {
                return fault(format!("an entry names account {id}, which does not exist"));
            }
        }
        for id in [&self.management, &self.audit] {
            if !known(id) {
                return fault(format!("account {id} is named as management or audit account but not declared"));
            }
        }
        Ok(())
    }
}
