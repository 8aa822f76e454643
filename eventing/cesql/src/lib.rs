//! CloudEvents SQL 1.0 (CESQL): expressions over the attributes of a CloudEvent, as in the `cesql`
//! filters of Knative triggers and of the CloudEvents Subscriptions API.
//!
//! ```
//! use dormouse_cesql::{Expression, Value};
//!
//! let expression = Expression::parse("type LIKE 'com.github.%' AND retries < 3")?;
//! let event = [
//!     ("type", Value::from("com.github.push")),
//!     ("retries", Value::from(1)),
//! ];
//! assert!(expression.matches(&event));
//! # Ok::<(), dormouse_cesql::ParseError>(())
//! ```
//!
//! The crate is `no_std` (with `alloc`), has no dependencies and no features. An [`Expression`] is
//! parsed once and evaluated against any number of events, from any number of threads. What it
//! reads of an event is what [`Attributes`] gives; texts are borrowed from the event and from the
//! expression, and an evaluation allocates only where it makes a new text: in a function that changes
//! one, and where an Integer is cast to a String.
//!
//! # Values and errors
//!
//! CESQL is total: there is always a value, also beside an error.
//!
//! ```
//! use dormouse_cesql::{ErrorKind, Expression, Value};
//!
//! let event = [("sequence", Value::from("abc"))];
//! let expression = Expression::parse("sequence * 2")?;
//! let evaluation = expression.evaluate(&event);
//! assert_eq!(evaluation.value, Value::Integer(0));
//! let error = evaluation.error.expect("abc is no number");
//! assert_eq!(error.kind(), ErrorKind::Cast);
//! assert_eq!(error.to_string(), "`abc` cannot be cast to Integer");
//! # Ok::<(), dormouse_cesql::ParseError>(())
//! ```
//!
//! Of the two ways that the specification offers (section 4.1) this is the one for filters:
//! evaluation ends with the first error. The operator or function that raises it says what value
//! stands beside it, and whatever encloses that gives the zero value of its own type: `false`, `0`
//! or the empty string. [`Expression::matches`] is the rule for filters: the value is `true`, and
//! there is no error.
//!
//! A text that is no expression is a [`ParseError`], which knows the place:
//!
//! ```
//! let error = dormouse_cesql::Expression::parse("type LIKE com").unwrap_err();
//! assert_eq!(error.to_string(), "at character 11: expected a string after LIKE, found `com`");
//! ```
//!
//! # The language
//!
//! | | |
//! |---|---|
//! | attributes | `type`, `subject`, `myextension`; in any case, `Subject` is `subject` |
//! | literals | `42`, `-1`, `TRUE`, `'it\'s'`, `"say \"hi\""` |
//! | operators, tightest first | `NOT` `-` · `LIKE` `IN` · `*` `/` `%` · `+` `-` · `=` `!=` `<>` `<` `<=` `>` `>=` · `AND` `OR` `XOR` |
//! | existence | `EXISTS subject` |
//! | texts | `LENGTH` `CONCAT` `CONCAT_WS` `LOWER` `UPPER` `TRIM` `LEFT` `RIGHT` `SUBSTRING` |
//! | numbers | `ABS` |
//! | casts | `INT` `BOOL` `STRING` `IS_INT` `IS_BOOL` |
//!
//! [`Functions`] takes functions of your own beside these. The specification's official test cases
//! pass, all of them.
//!
//! Worth knowing, all of it from the specification:
//! - `NOT` binds tighter than anything but a call: write `NOT (a = b)`.
//! - `AND`, `OR` and `XOR` have one precedence and go from left to right: `a OR b AND c` is
//!   `(a OR b) AND c`. The Go engine that Knative uses goes from right to left, so put in the
//!   parentheses where they differ.
//! - An attribute that the event does not have is an error, not an empty text. Ask first:
//!   `EXISTS subject AND subject = 'x'`; what cannot change the result of `AND` and `OR` is not
//!   evaluated.
//! - `x = y` casts `x` to the type of `y`, `x IN (…)` casts each element to the type of `x`.
//!
//! Where the specification leaves a choice:
//! - Arithmetic beyond 32 bits is a math error with the value `0`.
//! - In a string a backslash stands for itself, except before the delimiter; a backslash and what
//!   follows it are read together, so `'\\'` is two backslashes. In a `LIKE` pattern it also
//!   escapes `%` and `_`.
//! - Keywords are no attribute names, although CloudEvents would allow an attribute `like`.
//! - A character is a Unicode scalar value.
//! - The casts are functions too (`INT('5')`); the specification uses `INT` and `STRING` without
//!   listing them.
//!
//! # Bounds
//!
//! Expressions may come from people whom you do not trust. They are at most [`MAX_LENGTH`] bytes
//! long and nested at most [`MAX_DEPTH`] levels deep. Evaluation visits each part of an expression
//! at most once, and takes at most 262,144 steps, and 16 more for each byte of the longest attribute
//! that it reads: a step is a byte of a text that a function is given, or a comparison with a part of
//! a `LIKE` pattern that has `_` in it. What would take more, such as `%a_a_a_a_b%` a thousand times
//! as long on a text made for it, ends with a generic error. `CONCAT` gives at most 1 MiB.
#![no_std]

extern crate alloc;

mod attributes;
mod call;
mod error;
mod evaluate;
mod expression;
mod function;
mod node;
mod parse;
mod pattern;
mod print;
mod token;
mod value;
mod work;

pub use attributes::Attributes;
pub use error::{Error, ErrorKind, FunctionError, ParseError};
pub use expression::{Evaluation, Expression};
pub use function::{Function, Functions, InvalidFunction, Parameter};
pub use parse::{MAX_DEPTH, MAX_LENGTH};
pub use value::{Type, Value};
