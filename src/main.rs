//! Dormouse.
fn main() {}
