//! Time on a core: what a thread has worked, whatever else the machine does meanwhile.

/// How long the work keeps a core busy, in nanoseconds. Worth at least some 50 ms: the kernel
/// counts exactly only when it looks.
pub fn spent(work: impl FnOnce()) -> f64 {
    let begin = worked();
    work();
    worked() - begin
}

/// Nanoseconds that this thread has run.
fn worked() -> f64 {
    // Waiting for the processor makes the kernel look.
    std::thread::yield_now();
    let figures = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let worked = figures.split_whitespace().next().unwrap();
    worked.parse().unwrap()
}
