//! The educational agent pool: curriculum alignment, content generation, assessment design.
fn main() {}
