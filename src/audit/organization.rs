//! The organisation, read out of one evidence archive.

use crate::{
    archive::{ArchiveError, Reader},
    model::{Collector, Exchange, Organization},
    observe::{OrganizationReader, OrganizationUnreadable},
};

/// Why an archive's organisation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its answers do not describe an organisation.
    #[error("the recorded answers describe no whole organization: {0}")]
    Organization(#[from] OrganizationUnreadable),
}

/// The answers were all read: a way out of the stream, not an error.
enum Stop {
    Done,
    Failed(ArchiveError),
}

impl From<ArchiveError> for Stop {
    fn from(error: ArchiveError) -> Self {
        Self::Failed(error)
    }
}

/// Reads the organisation; stops at the end of the one task that asked Organizations, so that a large run costs no more.
///
/// # Errors
/// The archive cannot be read, or its answers are not whole.
pub(super) fn read(archive: &Reader) -> Result<Organization, Unreadable> {
    let mut reader = OrganizationReader::new();
    let mut begun = false;
    let ended = archive.exchanges(|exchange: Exchange<'_>| {
        if exchange.call.task.collector == Collector::Organization {
            begun = true;
            reader.push(exchange);
        } else if begun {
            return Err(Stop::Done);
        }
        Ok(())
    });
    match ended {
        Err(Stop::Failed(error)) => Err(error.into()),
        Ok(()) | Err(Stop::Done) => Ok(reader.finish()?),
    }
}
