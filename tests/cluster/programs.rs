//! The processes of pods: on a test cluster they are this machine's own.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The processes of a program in a pod.
pub fn find(pod: &Value, program: &str) -> Vec<i32> {
    let uid = pod["metadata"]["uid"].as_str().expect("a uid");
    let processes = fs::read_dir("/proc").expect("processes");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            let file = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            group.contains(uid) && file.file_name() == Path::new(program).file_name()
        })
        .collect()
}

/// Kills a program of a pod with -9; panics when it does not run there.
pub fn kill(pod: &Value, program: &str) {
    signal(pod, program, Signal::KILL);
}

/// Sends a program of a pod a signal; panics when it does not run there.
pub fn signal(pod: &Value, program: &str, signal: Signal) {
    let found = find(pod, program);
    assert!(!found.is_empty(), "{program} does not run in {pod}");
    for pid in found {
        let pid = Pid::from_raw(pid).expect("a pid");
        kill_process(pid, signal).expect("it is ours");
    }
}

/// What `/proc/PID/status` says behind the beginning of a line.
pub fn status(process: i32, line: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let value = text.lines().find_map(|it| it.strip_prefix(line));
    value.unwrap_or_default().trim().to_owned()
}
