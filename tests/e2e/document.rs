//! The coordinator's OpenAPI document, as others judge it.

use hyper::Method;
use tokio::process::Command;

use crate::client::interpreter;
use crate::http::send;
use crate::platform::Platform;

#[tokio::test]
async fn the_document_is_openapi_by_anothers_validator() {
    let platform = Platform::start([]).await;
    let coordinator = &platform.doors().coordinator;
    let document = send(Method::GET, coordinator, "/openapi.json", &[], "").await;
    assert!(
        document.json()["openapi"]
            .as_str()
            .is_some_and(|it| it.starts_with("3.1."))
    );
    let file = platform.folder().join("openapi.json");
    std::fs::write(&file, &document.body).expect("a file");
    let checked = Command::new(interpreter("openapi"))
        .args(["-m", "openapi_spec_validator", "--schema", "3.1"])
        .arg(&file)
        .output()
        .await
        .expect("the validator starts: run tests/clients/install first");
    assert!(checked.status.success(), "{checked:?}");
}
