//! Wrong YAML of many kinds: the API server names the field wherever it can.
//!
//! `knative/tests/wrong` has one file for each. What the API server lets through the operator
//! tells; `knative/tests/definitions.rs` holds its words against the same files.

use crate::deployment::install;
use crate::educational;
use crate::kubectl::{in_tree, kubectl};

/// The fewest kinds of mistakes that are tried.
const KINDS: usize = 20;

/// Asks the API server whether it would take this.
async fn try_to_apply(text: &str) -> Result<String, String> {
    kubectl(&["apply", "--dry-run=server", "--filename", "-"], text).await
}

/// What a line `# WHAT: …` of the file says.
fn heading<'a>(text: &'a str, what: &str) -> &'a str {
    let start = format!("# {what}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no line starts with `{start}`"))
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn the_api_server_names_the_wrong_field() {
    install().await;
    let mut count = 0;
    for entry in std::fs::read_dir(in_tree("knative/tests/wrong")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let told = try_to_apply(&text).await;
        let is_right = match (heading(&text, "told by"), &told) {
            ("the API server", Err(error)) => error.contains(heading(&text, "field")),
            ("the operator", Ok(_)) => true,
            (_, _) => false,
        };
        assert!(is_right, "{}: {told:?}", path.display());
        count += 1;
    }
    assert!(count >= KINDS, "{count} files");
}

#[tokio::test]
#[ignore = "needs a cluster: make test-cluster"]
async fn the_laptops_file_is_taken_unchanged() {
    install().await;
    try_to_apply(educational::FILE).await.expect("it is taken");
}
