//! The committed definitions, and what people write, well and badly.

use std::path::{Path, PathBuf};

use dormouse_operator::{AgentPool, McpServer, crd};
use serde::de::DeserializeOwned;
use serde_json::Value;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The YAML files of a folder: name and text, in order.
fn files(path: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder(path)).expect("a folder");
    let mut files: Vec<_> = paths
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text");
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), text)
        })
        .collect();
    files.sort();
    files
}

fn documents<T: DeserializeOwned>(text: &str) -> Vec<T> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

#[test]
fn the_committed_definitions_are_those_of_the_types() {
    let made: Vec<_> = crd::definitions()
        .iter()
        .map(|it| (it.file.clone(), it.yaml()))
        .collect();
    let committed = files("crds");
    assert!(
        committed == made,
        "knative/crds is stale: run `{}`",
        crd::COMMAND
    );
}

#[test]
fn the_text_of_a_definition_says_the_same() {
    for definition in crd::definitions() {
        let read = documents::<Value>(&definition.yaml());
        assert_eq!(read, [definition.object]);
    }
}

#[test]
fn the_laptops_pools_are_good_in_a_cluster() {
    let definition = crd::definitions().remove(0).object;
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let validator = jsonschema::validator_for(schema).unwrap();
    let mut count = 0;
    for (file, text) in files("../config/pools") {
        for document in documents::<Option<Value>>(&text).into_iter().flatten() {
            if document["kind"] != "AgentPool" {
                continue;
            }
            let errors: Vec<_> = validator
                .iter_errors(&document)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{file}: {errors:#?}");
            let pool: AgentPool = serde_json::from_value(document).unwrap();
            pool.pool()
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            count += 1;
        }
    }
    assert!(count > 0);
}

/// Who tells what is wrong with a file of `tests/wrong`, and which field it is.
fn heading<'a>(text: &'a str, what: &str) -> &'a str {
    let start = format!("# {what}: ");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no line starts with `{start}`"))
}

/// The API server tells the most of them first; what it lets through, because its rules were
/// removed or are older, the operator tells.
#[test]
fn the_operator_names_the_wrong_field() {
    let wrong = files("tests/wrong");
    assert!(wrong.len() >= 20);
    for (file, text) in wrong {
        let field = heading(&text, "field");
        assert!(["the API server", "the operator"].contains(&heading(&text, "told by")));
        let document = documents::<Value>(&text).remove(0);
        let error = match document["kind"].as_str() {
            Some("AgentPool") => serde_json::from_value::<AgentPool>(document)
                .unwrap()
                .pool()
                .map(drop),
            Some("MCPServer") => serde_json::from_value::<McpServer>(document)
                .unwrap()
                .platform()
                .map(drop),
            other => panic!("{file}: {other:?}"),
        };
        let error = error.expect_err(&file).to_string();
        assert!(error.starts_with(field), "{file}: {error}");
    }
}
