//! What the benchmarks share: the platform as a process, the bare two hops that it is compared
//! with, clients that keep one call in flight per connection, and how figures are printed.

#![expect(dead_code, reason = "each benchmark uses its part")]

pub mod client;
pub mod hops;
pub mod platform;
pub mod posts;

/// The middle of a list of figures, with its ends.
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

impl Spread {
    pub fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Self {
            min: figures[0],
            median: figures[figures.len() / 2],
            max: figures[figures.len() - 1],
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{:.2} (min {:.2}, max {:.2})",
            self.median, self.min, self.max
        )
    }
}

/// Resident memory of a process, in bytes.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// The arguments that cargo does not add by itself.
pub fn arguments() -> Vec<String> {
    std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect()
}
