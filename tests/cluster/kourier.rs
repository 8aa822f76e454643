//! The door of Knative Services inside of the cluster, which wakes them.

use bytes::Bytes;
use hyper::Method;

use crate::http::{self, Answer};
use crate::kubectl::get;

/// Sends an event in binary mode to a service, known by its name in the cluster.
pub async fn post_event(host: &str, headers: &[(&str, &str)], data: &str) -> Answer {
    let mut all = vec![
        ("host", host),
        ("ce-specversion", "1.0"),
        ("content-type", "application/json"),
        ("prefer", "reply"),
    ];
    all.extend(headers);
    let address = address().await;
    let body = Bytes::from(data.to_owned());
    let answer = http::try_send(Method::POST, &address, "/", &all, body).await;
    answer.unwrap_or_else(|error| panic!("{host}: {error}"))
}

/// Where it is, as `host:port`.
pub async fn address() -> String {
    let path = "/api/v1/namespaces/kourier-system/services/kourier-internal";
    let service = get(path).await.expect("Kourier is there");
    let address = service["spec"]["clusterIP"].as_str();
    format!("{}:80", address.expect("an address"))
}
