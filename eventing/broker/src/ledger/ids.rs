//! The ids of tasks that the broker makes itself: each is later than the one before, so their order
//! is that of acceptance (RFC 9562, section 6.2, method 1: a counter in `rand_a`).

use crate::task::{Millis, TaskId};

/// `rand_a` has 12 bits.
const COUNTS: u16 = 1 << 12;

/// Makes ids.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    millis: Millis,
    count: u16,
}

impl Ids {
    /// Ids after this one.
    pub(crate) fn after(last: Option<TaskId>) -> Self {
        Self {
            millis: last.map_or(0, TaskId::millis),
            count: COUNTS,
        }
    }

    /// The next id; when the clock has been set back, or too many are made within a millisecond,
    /// it is of a later moment.
    pub(crate) fn next(&mut self, now: Millis) -> TaskId {
        if now > self.millis {
            (self.millis, self.count) = (now, 0);
        } else if self.count + 1 >= COUNTS {
            (self.millis, self.count) = (self.millis + 1, 0);
        } else {
            self.count += 1;
        }
        let mut random: [u8; 10] = rand::random();
        let [high, low] = self.count.to_be_bytes();
        (random[0], random[1]) = (high, low);
        TaskId::at(self.millis, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let mut ids = Ids::after(Some(TaskId::at(2_000, [0xff; 10])));
        let clock = (0..10_000).map(|step| match step % 7 {
            0 => 5_000 + step,
            1 => 10,
            _ => 3_000,
        });
        let made: Vec<_> = clock.map(|now| ids.next(now)).collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
        assert!(made[0] > TaskId::at(2_000, [0xff; 10]));
    }
}
