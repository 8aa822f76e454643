//! Durations, times and tables as people read them.

use std::fmt::Write as _;

use jiff::Timestamp;

/// A duration, in the two largest units that say something.
pub(super) fn span(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis} ms"),
        1..=59 => {
            let tenths = (millis % 1_000) / 100;
            format!("{seconds}.{tenths} s")
        }
        60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..=86_399 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// How long ago a time was that the platform told; the time itself when it cannot be read.
pub(super) fn since(at: &str, now: Timestamp) -> String {
    match at.parse() {
        Ok(then) => ago(then, now),
        Err(_) => plain(at),
    }
}

/// How long ago something happened, in its largest unit.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = millis_between(then, now).max(0) / 1_000;
    match seconds {
        0 => "just now".to_owned(),
        1..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=86_399 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// From one moment to another.
pub(super) fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond() - from.as_millisecond()
}

/// A moment to the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text on one line and without control characters, which could steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let printable = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    printable.collect::<String>().trim_end().to_owned()
}

/// The widest line that is written on purpose.
const WIDTH: usize = 80;

/// A text after a label, broken between words before it gets too wide; what follows the first line
/// stands under its beginning. A word that is too long is left whole.
pub(super) fn hung(label: &str, text: &str) -> String {
    let indent = label.chars().count();
    let (mut out, mut column) = (label.to_owned(), indent);
    for word in plain(text).split_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        }
        if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    format!("{}\n", out.trim_end())
}

/// Rows under a heading, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([heading[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    let mut push = |cells: [&str; N]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    push(heading);
    for row in rows {
        push(std::array::from_fn(|column| row[column].as_str()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_use_the_units_that_say_something() {
        for (millis, text) in [
            (-5, "0 ms"),
            (999, "999 ms"),
            (12_340, "12.3 s"),
            (125_000, "2 min 5 s"),
            (7_500_000, "2 h 5 min"),
            (200_000_000, "2 d 7 h"),
        ] {
            assert_eq!(span(millis), text);
        }
    }

    #[test]
    fn moments_are_told_by_their_distance() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        for (then, text) in [
            ("2026-03-01T11:59:59.5Z", "just now"),
            ("2026-03-01T12:00:09Z", "just now"),
            ("2026-03-01T11:57:01Z", "2 min ago"),
            ("2026-02-26T12:00:00Z", "3 d ago"),
        ] {
            assert_eq!(ago(then.parse().unwrap(), now), text, "{then}");
        }
        assert_eq!(moment(now), "2026-03-01 12:00:00 UTC");
    }

    #[test]
    fn columns_line_up() {
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["äöü".to_owned(), String::new()],
        ];
        assert_eq!(table(["P", "NUMBER"], &rows), "P    NUMBER\na    1\näöü\n");
    }

    #[test]
    fn long_texts_hang_under_their_beginning() {
        let text = hung("  why  ", &["word"; 20].join(" "));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("  why  word word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("       word") && text.ends_with("word\n"));
        assert_eq!(hung("  why  ", ""), "  why\n");
        assert_eq!(hung("", &"x".repeat(90)), format!("{}\n", "x".repeat(90)));
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(plain("a\u{1b}[2J\nb\n"), "a [2J b");
    }
}
