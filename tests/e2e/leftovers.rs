//! Finds processes of a test run by the mark in their environment.

use std::fs;

/// The environment variable that marks every process of one test.
pub const MARK: &str = "DORMOUSE_TEST_RUN";

/// The processes that carry this mark, but for zombies: their pid and command line.
pub fn find(run: &str) -> Vec<(u32, String)> {
    let mark = format!("{MARK}={run}");
    let marked = |pid: u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let has_mark = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes());
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        (has_mark && !command.is_empty())
            .then(|| (pid, String::from_utf8_lossy(&command).replace('\0', " ")))
    };
    let processes = fs::read_dir("/proc").expect("these tests need Linux's /proc");
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(marked)
        .collect()
}
