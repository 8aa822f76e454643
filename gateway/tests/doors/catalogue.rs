//! The catalogue as it changes under open connections.

use std::sync::Arc;

use serde_json::json;

use crate::http_client::{modern, post_modern};
use crate::platform::{Platform, TOOLS, pool};

#[tokio::test]
async fn lists_have_pages_that_end_when_the_list_changes() {
    let platform = Platform::start_with(|config| config.page_size = 4).await;
    let list = async |params| {
        let message = modern(1, "tools/list", params);
        post_modern(platform.address, &message).await.json().await
    };
    let first = list(json!({})).await;
    assert_eq!(first["result"]["tools"].as_array().unwrap().len(), 4);
    let cursor = first["result"]["nextCursor"].clone();
    let second = list(json!({"cursor": cursor})).await;
    assert_eq!(
        second["result"]["tools"].as_array().unwrap().len(),
        TOOLS.len() - 4
    );
    assert!(second["result"].get("nextCursor").is_none());

    platform
        .pools
        .send(Arc::new(vec![pool("tools", &["echo"])]))
        .unwrap();
    while platform.gateway.tools().len() != 1 {
        tokio::task::yield_now().await;
    }
    let stale = list(json!({"cursor": cursor})).await;
    assert_eq!(stale["error"]["code"], -32_602);
}

#[tokio::test]
async fn a_pool_that_goes_takes_its_tools_along() {
    let platform = Platform::start().await;
    platform.pools.send(Arc::new(Vec::new())).unwrap();
    while !platform.gateway.tools().is_empty() {
        tokio::task::yield_now().await;
    }
    let call = modern(1, "tools/call", json!({"name":"echo","arguments":{}}));
    let answer = post_modern(platform.address, &call).await.json().await;
    assert_eq!(answer["error"]["code"], -32_602);
}
