//! `OPTIONS /events`: how a system that pushes events asks whether it may push them here.
//!
//! The validation request of HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4. Whoever came
//! through the door may send from any origin, at any rate: what is too much is answered with 429 when
//! it comes. The permission is in the answer, so a callback is never called: it would let strangers
//! choose where the platform sends requests.

use axum::http::header::{ALLOW, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

const REQUEST_ORIGIN: &str = "webhook-request-origin";
const REQUEST_RATE: &str = "webhook-request-rate";
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// Without an origin it is an ordinary `OPTIONS`: the methods, and no permission.
pub(super) async fn answer(asked: HeaderMap) -> Result<Response, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS, POST"));
    if let Some(origin) = single(&asked, REQUEST_ORIGIN, "a DNS name", is_dns_expression)? {
        single(&asked, REQUEST_RATE, "a positive integer", is_rate)?;
        headers.insert(ALLOWED_ORIGIN, origin.clone());
        headers.insert(ALLOWED_RATE, HeaderValue::from_static("*"));
    }
    Ok(headers.into_response())
}

/// A header that may be there once, with a value of the given kind.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &str,
    expected: &str,
    is_valid: fn(&str) -> bool,
) -> Result<Option<&'a HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if value.to_str().is_ok_and(is_valid) => Ok(Some(value)),
        (Some(_), _) => Err(Problem::Handshake(format!(
            "header `{name}` is not {expected}"
        ))),
    }
}

/// Section 4.1.2 gives no grammar: labels of letters, digits, `-` and `_` between dots, or `*`.
fn is_dns_expression(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*');
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Section 4.1.4: requests per minute.
fn is_rate(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_dns_names_and_rates_positive_integers() {
        for good in ["eventemitter.example.com", "localhost", "*", "a-1.b_2"] {
            assert!(is_dns_expression(good), "{good}");
        }
        for bad in ["", "a..b", "https://a.example", "a b", "a.example,", "a:80"] {
            assert!(!is_dns_expression(bad), "{bad}");
        }
        for (rate, is_good) in [("120", true), ("0", false), ("", false), ("-1", false)] {
            assert_eq!(is_rate(rate), is_good, "{rate}");
        }
    }
}
