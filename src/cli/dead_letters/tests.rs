//! What is typed, sent and said.

use clap::Parser;
use serde_json::value::RawValue;

use super::super::timeline::samples::flaky;
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: DeadLettersArgs,
}

fn parse(words: &[&str]) -> Result<Line, clap::Error> {
    Line::try_parse_from([&["dead-letters"], words].concat())
}

#[test]
fn nobody_redrives_everything_by_accident() {
    let id = flaky().id.to_string();
    for words in [
        &["redrive"][..],
        &["discard", "--reason", "x"],
        &["redrive", "--limit", "5"],
        &["redrive", "--all", "--pool", "p"],
        &["redrive", &id, "--all"],
        &["discard", &id, "--pool", "p"],
    ] {
        assert!(parse(words).is_err(), "{words:?}");
    }
    for words in [
        &["redrive", &id][..],
        &["redrive", "--all"],
        &["discard", "--pool", "p", "--source", "/s", "--limit", "5"],
        &["list", "--capability", "c"],
        &["--event", "7"],
    ] {
        assert!(parse(words).is_ok(), "{words:?}");
    }
}

#[test]
fn the_query_and_the_filter_hold_what_was_asked() {
    let line = parse(&["list", "--pool", "a&b", "--event", "7", "--limit", "5"]).unwrap();
    let Some(DeadLettersCommand::List(args)) = line.args.command else {
        panic!("a list");
    };
    assert_eq!(query(&args), "limit=5&pool=a%26b&event=7");
    let line = parse(&["discard", "--pool", "p", "--reason", "r"]).unwrap();
    let Some(DeadLettersCommand::Discard(args)) = line.args.command else {
        panic!("a discard");
    };
    let filter = args.chosen.filter(args.reason);
    assert_eq!((filter.pool.as_deref(), filter.all), (Some("p"), false));
    assert_eq!(filter.reason.as_deref(), Some("r"));
}

#[test]
fn the_list_says_what_went_wrong() {
    let task = flaky();
    let page = TaskPage {
        next: Some(task.id),
        tasks: vec![task],
    };
    let text = overview(&page, "2026-03-01T12:02:03.200Z".parse().unwrap());
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[1].ends_with("2 min ago  flaky  com.example.flaky"),
        "{text}"
    );
    assert_eq!(lines[2], "  the function broke off");
    assert!(text.contains("--before"), "{text}");
}

#[test]
fn what_was_done_and_what_is_left_is_said() {
    let (old, new) = (flaky().id, flaky().id);
    let redriven = vec![Redriven { id: old, task: new }];
    let one = RedrivenPage { redriven, left: 0 };
    assert_eq!(say_redriven(&one), format!("{old} runs again as {new}\n"));
    let discarded = vec![Discarded { id: old }, Discarded { id: new }];
    let text = say_discarded(&DiscardedPage { discarded, left: 3 });
    assert!(
        text.contains("2 are discarded; 3 that fit are left: repeat"),
        "{text}"
    );
    assert!(sum(0, "run again", 0).contains("no dead letter matches"));
    assert!(sum(0, "run again", 2).contains("try again later"));
}

#[test]
fn what_it_was_about_is_shown() {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
    let view = DeadLetterView {
        task: flaky(),
        event: raw(r#"{"specversion":"1.0","id":"7","source":"/s","type":"t","data":[1]}"#),
        request: None,
    };
    assert!(
        subject(&view).contains("  id        7\n"),
        "{}",
        subject(&view)
    );
    let view = DeadLetterView {
        event: None,
        request: raw(r#"{"method":"tools/call","params":{"password":"(not shown)"}}"#),
        ..view
    };
    assert!(subject(&view).contains("(not shown)"), "{}", subject(&view));
}
