use std::collections::BTreeMap;

use dormouse_contract::Manifest;
use dormouse_contract::policy::Delivery;
use dormouse_contract::registration::Registration;
use dormouse_contract::task::Requested;
use http::{HeaderName, HeaderValue};

use super::*;
use crate::era::Revision;
use crate::error::INVALID_PARAMS;
use crate::session::client_json;

const LEGACY: Era = Era::Legacy(Revision::LATEST);

fn catalogue() -> Catalogue {
    let pool = |name: &str| {
        let manifest: Manifest = serde_json::from_str(
            r#"{"contract":1,"tools":[{"name":"t","inputSchema":
                {"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}],
                "prompts":[{"name":"p","arguments":[{"name":"a","required":true},{"name":"b"}]}],
                "resources":[{"uri":"x://fixed","name":"n"}],
                "resourceTemplates":[{"uriTemplate":"x://item/{id}","name":"n"}]}"#,
        )
        .unwrap();
        Arc::new(Registration {
            pool: name.into(),
            agent_type: String::new(),
            revision: "1".into(),
            manifest: Arc::new(manifest),
            delivery: Delivery::default(),
            tools: BTreeMap::new(),
            triggers: None,
            slots: 1,
            queue_limit: 1,
        })
    };
    Catalogue::build(&[pool("a"), pool("b")], 10, None)
}

fn id() -> RequestId {
    RequestId::from_json(serde_json::from_str("1.0").unwrap()).unwrap()
}

fn admitted(
    raw: &str,
    era: Era,
    headers: Option<&HeaderMap>,
    hears: Hears,
) -> Result<Admission, Fault> {
    admit_as(Feature::Tool, raw, era, headers, hears)
}

fn admit_as(
    feature: Feature,
    raw: &str,
    era: Era,
    headers: Option<&HeaderMap>,
    hears: Hears,
) -> Result<Admission, Fault> {
    let raw: &RawValue = serde_json::from_str(raw).unwrap();
    let params = Params::parse(Some(raw))?;
    let session: Arc<str> = "s".into();
    admit(
        &catalogue(),
        &Keys::random(),
        Request {
            feature,
            id: id(),
            era,
            raw: Some(raw),
            params: &params,
            headers,
            mirrors: true,
            client: &client_json(era.as_str(), None, None),
            hears,
            session: Some(&session),
            principal: &"p".into(),
        },
    )
}

fn call(raw: &str) -> Box<Call> {
    call_as(Feature::Tool, raw)
}

fn call_as(feature: Feature, raw: &str) -> Box<Call> {
    match admit_as(feature, raw, LEGACY, None, Hears::default()) {
        Ok(Admission::Call(call)) => call,
        other => panic!("{other:?}"),
    }
}

fn data(call: &Call) -> String {
    match &call.task.work {
        Work::Call(data) => String::from_utf8(data.to_vec()).unwrap(),
        Work::Event { .. } => panic!("a call is no event"),
    }
}

#[test]
fn params_reach_the_function_to_the_letter() {
    let params = r#"{ "name" : "t","arguments":{"n":1.0},"x":1E2 }"#;
    let call = call(params);
    let data = data(&call);
    assert!(data.contains(params), "{data}");
    let requested: Requested<'_> = serde_json::from_str(&data).unwrap();
    assert_eq!(requested.method, "tools/call");
    assert_eq!(requested.client.protocol_version, "2025-11-25");
    assert_eq!(&*call.task.pool, "a");
    assert_eq!(
        call.task.reply_to.as_deref(),
        Some(&br#"{"session":"s","id":1.0}"#[..])
    );
}

#[test]
fn a_renamed_tool_is_called_by_its_declared_name() {
    let call = call(r#"{"name":"b__t","arguments":{"n":2}}"#);
    assert_eq!((&*call.task.pool, &*call.task.capability), ("b", "t"));
    assert!(data(&call).contains(r#""params":{"name":"t","arguments":{"n":2}}"#));
}

#[test]
fn the_function_learns_what_the_client_hears() {
    let hears = Hears {
        progress_token: Some("1".into()),
        log_level: Some(crate::level::Level::Warning),
    };
    let Ok(Admission::Call(call)) = admitted(r#"{"name":"t"}"#, LEGACY, None, hears) else {
        panic!("not admitted");
    };
    let data = data(&call);
    let requested: Requested<'_> = serde_json::from_str(&data).unwrap();
    assert!(requested.client.progress);
    assert_eq!(requested.client.log_level.as_deref(), Some("warning"));
}

#[test]
fn wrong_arguments_are_told_in_the_way_of_the_revision() {
    let wrong = r#"{"name":"t","arguments":{"n":"x"}}"#;
    for era in [Era::Modern, LEGACY] {
        match admitted(wrong, era, None, Hears::default()) {
            Ok(Admission::Answered(reply)) => assert!(reply.text.contains(r#""isError":true"#)),
            other => panic!("{other:?}"),
        }
    }
    let old = Era::Legacy(Revision::V2025_06_18);
    let fault = admitted(wrong, old, None, Hears::default()).unwrap_err();
    assert_eq!(fault.code(), INVALID_PARAMS);
    assert!(fault.to_string().contains("/n"));
}

#[test]
fn what_cannot_be_called_is_told() {
    for (params, words) in [
        (r"{}", "params.name"),
        (r#"{"name":"nothing"}"#, "Unknown tool: nothing"),
        (r#"{"name":"t","arguments":[]}"#, "must be an object"),
        (
            r#"{"name":"t","_meta":{"dev.dormouse/idempotencyKey":""}}"#,
            "1 to 256 bytes",
        ),
    ] {
        let fault = admitted(params, LEGACY, None, Hears::default()).unwrap_err();
        assert_eq!(fault.code(), INVALID_PARAMS, "{params}");
        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[test]
fn modern_headers_mirror_marked_arguments() {
    let params = r#"{"name":"t","arguments":{"n":5}}"#;
    let mut headers = HeaderMap::new();
    assert!(admitted(params, Era::Modern, Some(&headers), Hears::default()).is_err());
    assert!(admitted(params, LEGACY, Some(&headers), Hears::default()).is_ok());
    headers.insert(
        HeaderName::from_static("mcp-param-n"),
        HeaderValue::from_static("5"),
    );
    assert!(admitted(params, Era::Modern, Some(&headers), Hears::default()).is_ok());
}

#[test]
fn a_key_comes_from_the_header_or_meta_with_the_arguments_hash() {
    let mut headers = HeaderMap::new();
    headers.insert(
        headers::IDEMPOTENCY_KEY,
        HeaderValue::from_static("from-header"),
    );
    let params = |order: &str| {
        format!(
            r#"{{"name":"t","arguments":{order},"_meta":{{"dev.dormouse/idempotencyKey":"k"}}}}"#
        )
    };
    let key = |params: &str, headers| match admitted(params, LEGACY, headers, Hears::default()) {
        Ok(Admission::Call(call)) => call.task.idempotency.unwrap(),
        other => panic!("{other:?}"),
    };
    let one = key(&params(r#"{"n":1,"m":2}"#), None);
    let other = key(&params(r#"{"m":2, "n":1}"#), None);
    assert_eq!(one, other);
    assert_eq!(one.key, "k");
    assert_eq!(key(&params("{}"), Some(&headers)).key, "from-header");
}

#[test]
fn the_trace_goes_on_from_the_clients() {
    let parent = TraceParent::random();
    let params = format!(r#"{{"name":"t","_meta":{{"traceparent":"{parent}"}}}}"#);
    let trace = call(&params).task.trace;
    assert_eq!(trace.trace_id(), parent.trace_id());
    assert_ne!(trace, parent);
}

#[test]
fn prompts_reach_their_function_by_their_declared_name() {
    let call = call_as(
        Feature::Prompt,
        r#"{"name":"b__p","arguments":{"a":"1"},"x":1.0}"#,
    );
    assert_eq!((&*call.task.pool, &*call.task.capability), ("b", "p"));
    let data = data(&call);
    let params = r#""method":"prompts/get","params":{"name":"p","arguments":{"a":"1"},"x":1.0}"#;
    assert!(data.contains(params), "{data}");
}

#[test]
fn resources_are_read_by_uri_and_by_template() {
    for uri in ["x://fixed", "x://item/7"] {
        let params = format!(r#"{{ "uri":"{uri}" }}"#);
        let call = call_as(Feature::Resource, &params);
        assert_eq!((&*call.task.pool, &*call.task.capability), ("a", uri));
        assert!(data(&call).contains(&format!(r#""resources/read","params":{params}"#)));
    }
    for era in [LEGACY, Era::Modern] {
        let read = |params| admit_as(Feature::Resource, params, era, None, Hears::default());
        let fault = read(r#"{"uri":"x://other"}"#).unwrap_err();
        assert_eq!(fault.code(), Fault::resource_not_found(era));
        assert_eq!(fault.data(), Some(serde_json::json!({"uri":"x://other"})));
        for wrong in ["{}", r#"{"uri":1}"#] {
            assert_eq!(read(wrong).unwrap_err().code(), INVALID_PARAMS, "{wrong}");
        }
    }
}

#[test]
fn completions_go_to_what_is_referred_to() {
    let complete = |reference: &str| {
        format!(r#"{{"ref":{reference},"argument":{{"name":"a","value":""}},"y":1.0}}"#)
    };
    let prompt = r#"{"type":"ref/prompt", "name":"b__p"}"#;
    let call = call_as(Feature::Completion, &complete(prompt));
    assert_eq!((&*call.task.pool, &*call.task.capability), ("b", "p"));
    let declared = complete(r#"{"type":"ref/prompt", "name":"p"}"#);
    assert!(data(&call).contains(&declared), "{}", data(&call));
    for uri in ["x://item/{id}", "x://item/3"] {
        let reference = format!(r#"{{"type":"ref/resource","uri":"{uri}"}}"#);
        let call = call_as(Feature::Completion, &complete(&reference));
        assert_eq!(&*call.task.capability, "x://item/{id}");
        assert!(data(&call).contains(&reference));
    }
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let cases = [
        (Feature::Prompt, r#"{"name":"x"}"#, "Unknown prompt: x"),
        (Feature::Prompt, r#"{"name":"p"}"#, "`a` is missing"),
        (
            Feature::Prompt,
            r#"{"name":"p","arguments":{"a":1}}"#,
            "`a` must be a string",
        ),
        (
            Feature::Prompt,
            r#"{"name":"p","arguments":[]}"#,
            "must be an object",
        ),
        (Feature::Completion, "{}", "params.ref is missing"),
        (
            Feature::Completion,
            r#"{"ref":{}}"#,
            "params.argument is missing",
        ),
        (
            Feature::Completion,
            r#"{"ref":{},"argument":{"name":"a"}}"#,
            "params.argument.value is missing",
        ),
        (
            Feature::Completion,
            r#"{"ref":[],"argument":{"name":"a","value":""}}"#,
            "params.ref must be an object",
        ),
        (
            Feature::Completion,
            r#"{"ref":{"type":"ref/tool"},"argument":{"name":"a","value":""}}"#,
            "params.ref.type is `ref/tool`",
        ),
        (
            Feature::Completion,
            r#"{"ref":{"type":"ref/prompt","name":"x"},"argument":{"name":"a","value":""}}"#,
            "Unknown prompt: x",
        ),
        (
            Feature::Completion,
            r#"{"ref":{"type":"ref/resource","uri":"y://"},"argument":{"name":"a","value":""}}"#,
            "no resource and no template",
        ),
        (
            Feature::Completion,
            r#"{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":""},
                "context":{"arguments":{"b":1}}}"#,
            "`b` must be a string",
        ),
    ];
    for (feature, params, words) in cases {
        let fault = admit_as(feature, params, LEGACY, None, Hears::default()).unwrap_err();
        assert_eq!(fault.code(), INVALID_PARAMS, "{params}");
        assert!(fault.to_string().contains(words), "{fault}");
    }
}

#[test]
fn a_key_of_one_method_means_nothing_to_another() {
    let key = |feature, params: &str| call_as(feature, params).task.idempotency.unwrap().arguments;
    let meta = r#""_meta":{"dev.dormouse/idempotencyKey":"k"}"#;
    let prompt = |a: &str| format!(r#"{{"name":"p","arguments":{{"a":"{a}"}},{meta}}}"#);
    let one = key(Feature::Prompt, &prompt("1"));
    assert_eq!(
        one,
        key(Feature::Prompt, &prompt("1").replace("\"p\",", "\"p\", "))
    );
    assert_ne!(one, key(Feature::Prompt, &prompt("2")));
    let read = key(
        Feature::Resource,
        &format!(r#"{{"uri":"x://fixed",{meta}}}"#),
    );
    assert_ne!(
        read,
        key(Feature::Tool, &format!(r#"{{"name":"t",{meta}}}"#))
    );
}
