//! Room on the disk: below a reserve nothing new is taken, so that what has been promised can
//! still be finished.

use std::path::PathBuf;

use crate::task::Millis;

/// How long a look at the disk holds.
const HOLDS: Millis = 1_000;

/// The disk of the data directory.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    reserve: u64,
    free: u64,
    looked_at: Millis,
}

impl Disk {
    pub(crate) fn new(dir: PathBuf, reserve: u64) -> Self {
        Self {
            dir,
            reserve,
            free: u64::MAX,
            looked_at: Millis::MIN,
        }
    }

    /// The free bytes, when they are fewer than the reserve.
    pub(crate) fn shortage(&mut self, now: Millis) -> Option<u64> {
        if now.saturating_sub(self.looked_at) >= HOLDS || now < self.looked_at {
            self.looked_at = now;
            // A disk that cannot be asked is for SQLite to complain about.
            self.free = rustix::fs::statvfs(&self.dir)
                .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        }
        (self.free < self.reserve).then_some(self.free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_that_no_disk_has_is_missed_and_none_is_not() {
        let dir = std::env::temp_dir();
        assert!(Disk::new(dir.clone(), u64::MAX).shortage(0).is_some());
        assert_eq!(Disk::new(dir, 0).shortage(0), None);
        assert_eq!(Disk::new("/nowhere/at/all".into(), 1).shortage(0), None);
    }
}
