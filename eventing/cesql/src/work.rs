//! What one evaluation may cost, whoever wrote the expression and the event.
//!
//! A step is a byte of a text that a function is given, or a comparison of a character with a part of
//! a pattern. Everything else takes time in proportion to the expression and to what it reads.

/// So many steps are always allowed; it takes an expression made for the purpose to need as many.
const ALLOWED: usize = 262_144;

/// Beyond [`ALLOWED`], so many for each byte of the longest attribute that is read.
const PER_BYTE: usize = 16;

/// The steps of one evaluation.
#[derive(Debug)]
pub(crate) struct Work {
    left: usize,
    longest: usize,
}

/// The evaluation was given up: it takes too many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch;

impl Default for Work {
    fn default() -> Self {
        Self::of(ALLOWED)
    }
}

impl Work {
    pub(crate) fn of(steps: usize) -> Self {
        Self {
            left: steps,
            longest: 0,
        }
    }

    /// An attribute of this length was read.
    pub(crate) fn allow(&mut self, length: usize) {
        let more = length.saturating_sub(self.longest);
        self.longest += more;
        self.left = self.left.saturating_add(more.saturating_mul(PER_BYTE));
    }

    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), TooMuch> {
        self.left = self.left.checked_sub(steps).ok_or(TooMuch)?;
        Ok(())
    }
}
