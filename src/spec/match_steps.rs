//! A bound of the work that the expressions of one mount make.
//!
//! An expression takes time linear in a name, but by the number of its states: a pattern of 30 bytes with a count can have
//! two thousand. Compared with thousands of names, twenty of them would keep a thread busy for minutes.

/// The most steps of one mount: about a second.
const MAX_STEPS: u64 = 250_000_000;

/// The steps that the expressions of one mount may still take. A step is a state of an expression at a character of a
/// name, and of a replacement also one of its groups.
#[derive(Debug)]
pub struct MatchSteps {
    left: u64,
}

/// The expressions of a mount and the names that they are compared with make too much work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManySteps;

impl MatchSteps {
    /// Returns those of a new mount.
    pub fn of_mount() -> Self {
        Self { left: MAX_STEPS }
    }

    /// Takes the steps of an expression with this number of states, at worst, for a text of this many bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub(super) fn take(&mut self, states: usize, bytes: usize) -> Result<(), TooManySteps> {
        // The end of the text is a place too.
        let steps = (states as u64).saturating_mul(bytes as u64 + 1);
        self.left = self.left.checked_sub(steps).ok_or(TooManySteps)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_states_at_the_characters_of_names() {
        let mut steps = MatchSteps::of_mount();
        for _ in 0..10 {
            steps.take(250_000, 99).unwrap();
        }
        assert_eq!(steps.take(1, 0), Err(TooManySteps));
        assert_eq!(MatchSteps::of_mount().take(usize::MAX, usize::MAX / 2), Err(TooManySteps));
    }
}
