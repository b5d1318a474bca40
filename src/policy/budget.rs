//! How much work a question may cost: counted in steps, never in time, so that the answer is the same on every machine.

/// The question is too entangled to be decided within its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooComplex;

/// Steps left.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Budget {
    /// So many steps.
    pub(super) fn of(steps: u64) -> Self {
        Self(steps)
    }

    /// No limit, for work that is bounded by itself.
    pub(super) fn endless() -> Self {
        Self(u64::MAX)
    }

    /// Takes `steps`, or fails, then and ever after, where fewer are left.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), TooComplex> {
        match self.0.checked_sub(steps as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(TooComplex)
            }
        }
    }

    /// Lends at most `steps` to a part of the question; what the part leaves comes back.
    pub(super) fn part<T>(&mut self, steps: u64, work: impl FnOnce(&mut Budget) -> T) -> T {
        let lent = self.0.min(steps);
        let mut part = Self(lent);
        let result = work(&mut part);
        self.0 -= lent - part.0;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_costs_what_it_used_and_no_more_than_it_was_lent() {
        let mut budget = Budget::of(10);
        assert_eq!(budget.part(6, |part| part.spend(4)), Ok(()));
        assert_eq!(budget.part(6, |part| part.spend(7)), Err(TooComplex));
        assert_eq!(budget.spend(1), Err(TooComplex), "4 used, 6 lost");
        assert_eq!(Budget::of(3).part(5, |part| part.spend(4)), Err(TooComplex));
    }
}
