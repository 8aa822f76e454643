//! The OpenAPI document: it knows every route, and every answer of these tests is as it says.

use super::*;
use crate::api::document::describe;

/// The document, and what it says of an answer.
pub(super) struct Document(Value);

impl Document {
    pub(super) fn new() -> Self {
        Self(describe(&operations()))
    }

    /// The operation of a request, if the document has one.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap();
        let segments: Vec<_> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<_> = template.split('/').collect();
            parts.len() == segments.len()
                && parts
                    .iter()
                    .zip(&segments)
                    .all(|(part, segment)| part == segment || part.starts_with('{'))
        };
        let paths = self.0["paths"].as_object().unwrap();
        // Words come before parameters, as in the router.
        let found = paths
            .get_key_value(path)
            .or_else(|| paths.iter().find(|(it, _)| fits(it)));
        found?.1.get(method.as_str().to_ascii_lowercase())
    }

    /// Panics when the answer is not as the document says.
    pub(super) fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let status = answer.status.as_str();
        let Some(operation) = self.operation(method, path) else {
            let unknown = matches!(answer.status.as_u16(), 401 | 403 | 404 | 405);
            assert!(
                unknown,
                "{method} {path} is served, and not in the document"
            );
            return;
        };
        let said = &operation["responses"][status];
        assert!(said.is_object(), "{method} {path} answers {status}, unsaid");
        let Some(contents) = said.get("content").and_then(Value::as_object) else {
            assert!(
                answer.body.is_empty(),
                "{method} {path}: {status} has a body, unsaid"
            );
            return;
        };
        if answer.body.is_empty() && answer.status == StatusCode::ACCEPTED {
            return;
        }
        let media = answer.header("content-type").split(';').next().unwrap();
        let content = &contents
            .get(media)
            .unwrap_or_else(|| panic!("{method} {path}: {media}"));
        if media.ends_with("json") {
            self.validate(
                &content["schema"],
                &answer.json(),
                &format!("{method} {path}"),
            );
        }
    }

    fn validate(&self, schema: &Value, value: &Value, what: &str) {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&whole).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(value)
            .map(|it| format!("{it} at {}", it.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{what}: {errors:?}: {value}");
    }

    fn operations(&self) -> impl Iterator<Item = (&String, &String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap();
            methods.iter().map(move |(method, it)| (path, method, it))
        })
    }
}

#[tokio::test]
async fn the_router_serves_what_the_document_says_and_no_other_method() {
    let stage = Stage::open(10).await;
    let document = stage.get("/openapi.json").await.json();
    assert_eq!(document, stage.document.0);
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{id}", "x")
            .replace("{pool}", "x")
            .replace("{webhook}", "x")
            .replace("{token}", "x")
            .replace("{seq}", "0");
        let answer = stage.ask(request(Method::TRACE, &path, &[], "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let mut served: Vec<_> = answer
            .header("allow")
            .split(',')
            .map(|it| it.trim().to_ascii_lowercase())
            .filter(|it| it != "head")
            .collect();
        served.sort();
        let mut said: Vec<_> = item.as_object().unwrap().keys().cloned().collect();
        said.sort();
        assert_eq!(served, said, "{path}");
    }
}

#[test]
fn everything_in_the_document_is_described_and_has_an_example() {
    let document = Document::new();
    let mut ids = Vec::new();
    for (path, method, operation) in document.operations() {
        let what = format!("{method} {path}");
        let texts = ["operationId", "summary", "description"].map(|name| &operation[name]);
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let described = parameters.clone().map(|it| &it["description"]);
        for text in texts.into_iter().chain(described) {
            assert!(
                text.as_str().is_some_and(|it| !it.is_empty()),
                "{what}: {operation}"
            );
        }
        ids.push(operation["operationId"].clone());
        let responses = operation["responses"].as_object().unwrap();
        let bodies = [&operation["requestBody"]];
        for content in bodies.into_iter().chain(responses.values()) {
            for (media, content) in content["content"].as_object().into_iter().flatten() {
                if media == "application/json" {
                    document.validate(&content["schema"], &content["example"], &what);
                }
            }
        }
    }
    let count = ids.len();
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation's id is its own");
}

#[test]
fn every_schema_and_every_member_is_described() {
    fn check(name: &str, schema: &Value) {
        for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
            let is_variant = schema.get("description").is_none();
            assert!(!is_variant, "{name}.{member} is not described: {schema}");
        }
    }
    let document = Document::new();
    let components = &document.0["components"];
    for (name, schema) in components["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} is not described");
        check(name, schema);
    }
    for (name, example) in components["examples"].as_object().unwrap() {
        let schema = json!({"$ref": "#/components/schemas/ProblemView"});
        document.validate(&schema, &example["value"], name);
    }
}

#[tokio::test]
async fn the_page_is_whole_in_itself_and_open_to_who_has_no_token() {
    let stage = Stage::open(10).await;
    for path in ["/", "/openapi.json", "/health", "/health/liveness"] {
        let mut stranger = request(Method::GET, path, &[], "");
        stranger.headers_mut().remove("authorization");
        assert_eq!(stage.ask(stranger).await.status, StatusCode::OK, "{path}");
    }
    let page = stage.get("/").await;
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    let text = std::str::from_utf8(&page.body).unwrap();
    for elsewhere in ["src=", "@import", "url(", "//cdn"] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
}
