//! Compiled CESQL expressions, nanoseconds an event on one core, against the Go engine that
//! Knative uses (`cloudevents/sdk-go/sql`), which is built from `benches/cesql-go`.
//!
//! Both sides run in turn, several rounds; what counts is the ratio of each round. Time is that of
//! the evaluating thread on its core, so other work on the machine is not counted, nor are Go's
//! threads that collect garbage. Without Go only ours is measured.
//! `cargo bench -p dormouse-contract --bench cesql`

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

#[path = "load/core_time.rs"]
mod core_time;

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};

use dormouse_cesql::Expression;
use dormouse_contract::Event;

const ROUNDS: usize = 7;
const EVALUATIONS: usize = 200_000;

/// (what it shows, the expression, its value)
const CASES: [(&str, &str, &str); 4] = [
    (
        "5 terms, all evaluated",
        "type = 'com.github.push' AND source LIKE '/repos/%' AND branch IN ('dev', 'main') \
         AND attempt < 3 AND EXISTS subject",
        "true",
    ),
    (
        "the first of 5 is false",
        "type = 'com.github.issue' AND source LIKE '/repos/%' AND branch IN ('dev', 'main') \
         AND attempt < 3 AND EXISTS subject",
        "false",
    ),
    ("an attribute is missing", "tenant = 'dormouse'", "false"),
    (
        "functions",
        "UPPER(LEFT(subject, 4)) = 'REFS' AND LENGTH(CONCAT_WS('/', source, branch)) > 10",
        "true",
    ),
];

fn main() {
    let event = Event::new("2c9d1b6e", "/repos/dormouse/dormouse", "com.github.push")
        .with_extension("branch", "main")
        .with_extension("attempt", "2");
    let event = Event {
        subject: Some("refs/heads/main".to_owned()),
        time: Some("2026-01-02T03:04:05Z".to_owned()),
        ..event
    };
    let expressions = CASES.map(|(_, text, _)| Expression::parse(text).unwrap());
    let engine = build_engine();
    let mut ours = vec![Vec::new(); CASES.len()];
    let mut ratios = vec![Vec::new(); CASES.len()];
    for _ in 0..ROUNDS {
        let theirs = engine.as_deref().map(|engine| run_engine(engine, &event));
        for (case, expression) in expressions.iter().enumerate() {
            let nanoseconds = measure(expression, &event, CASES[case].2);
            ours[case].push(nanoseconds);
            if let Some(theirs) = &theirs {
                ratios[case].push(theirs[case] / nanoseconds);
            }
        }
    }
    for (case, (name, ..)) in CASES.iter().enumerate() {
        let ours = middle(&mut ours[case]);
        print!("{name:24} {ours:>6.1} ns");
        if !ratios[case].is_empty() {
            let ratio = middle(&mut ratios[case]);
            let (min, max) = (ratios[case][0], ratios[case][ROUNDS - 1]);
            let go = ours * ratio;
            print!("   Go {go:>7.1} ns   ratio {ratio:.1} (min {min:.1}, max {max:.1})");
        }
        println!();
    }
    println!("bars: 5 terms in at most 500 ns, and at least 5 times as fast as Go");
}

/// Nanoseconds an evaluation.
fn measure(expression: &Expression, event: &Event, value: &str) -> f64 {
    assert_eq!(expression.evaluate(event).value.to_string(), value);
    let spent = core_time::spent(|| {
        for _ in 0..EVALUATIONS {
            black_box(black_box(expression).evaluate(black_box(event)));
        }
    });
    spent / EVALUATIONS as f64
}

/// The program, or `None` when it cannot be built.
fn build_engine() -> Option<String> {
    let program = concat!(env!("CARGO_TARGET_TMPDIR"), "/cesql-go");
    let build = Command::new("go")
        .args(["build", "-o", program, "."])
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../benches/cesql-go"
        ))
        .output();
    match build {
        Ok(output) if output.status.success() => return Some(program.to_owned()),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            println!("Go's engine cannot be built, so it is not compared with: {words}");
        }
        Err(error) => println!("Go is not there, so its engine is not compared with: {error}"),
    }
    None
}

/// Nanoseconds an evaluation, for each case.
fn run_engine(program: &str, event: &Event) -> Vec<f64> {
    let mut engine = Command::new(program)
        .arg(EVALUATIONS.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (_, event) = dormouse_contract::http_binding::write_structured(event);
    let mut input = engine.stdin.take().unwrap();
    for (_, text, _) in CASES {
        input.write_all(&event).unwrap();
        writeln!(input, "\n{text}").unwrap();
    }
    drop(input);
    let output = engine.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let figures = output
        .lines()
        .zip(CASES)
        .map(|(line, (name, _, expected))| {
            let (value, nanoseconds) = line.split_once(' ').unwrap();
            assert_eq!(value, expected, "{name}");
            nanoseconds.parse().unwrap()
        });
    figures.collect()
}

/// Sorts the figures and gives the one in the middle.
fn middle(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
