//! Exit codes: the contract with schedulers and scripts.

use std::process::ExitCode;

/// How a command ended. Ordered from best to worst, so that the worse of two is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// 0: done and complete.
    Done,
    /// 1: done, some requirement not satisfied.
    NotSatisfied,
    /// 3: done but incomplete: gaps, an aborted run; for `verify` a missing or overdue run.
    Incomplete,
    /// 5: could not be checked: no `--trust`, unknown semantics.
    Unchecked,
    /// 2: usage or configuration; also no credentials, unreachable endpoint, unwritable store before a run has opened.
    Usage,
    /// 70: a bug.
    Internal,
    /// 4: verification failed.
    Failed,
}

impl Exit {
    const ALL: [Self; 7] =
        [Self::Done, Self::NotSatisfied, Self::Incomplete, Self::Unchecked, Self::Usage, Self::Internal, Self::Failed];

    /// Returns the ending that a documented code stands for; a code that is not documented is a bug.
    pub fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Internal)
    }

    /// Returns the process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NotSatisfied => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Failed => 4,
            Self::Unchecked => 5,
            Self::Internal => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_apply_the_worse_is_taken_in_the_documented_order() {
        use Exit::{Done, Failed, Incomplete, Internal, NotSatisfied, Unchecked, Usage};
        let worst_first = [Failed, Internal, Usage, Unchecked, Incomplete, NotSatisfied, Done];
        assert_eq!(worst_first.map(Exit::code), [4, 70, 2, 5, 3, 1, 0]);
        assert!(worst_first.is_sorted_by(|a, b| a > b));
    }
}
