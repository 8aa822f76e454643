//! AgentPool files as people write them, well and badly.

use dormouse_contract::balance::Balance;
use dormouse_contract::policy::{Retry, RetryRule};
use dormouse_pool::{
    Document, EnvValue, Listen, LoadError, Metadata, Run, RunSpec, ScalingSpec, Spec, load_dir,
    parse,
};
use proptest::prelude::*;

const GOOD: &str = "\
apiVersion: dormouse.dev/v1alpha1
kind: AgentPool
metadata: {name: educational}
spec:
  agentType: educational
  run: {cargo: dormouse-educational}
  image: dormouse/educational:0.1.0
  env: [{name: OPENAI_API_KEY, valueFrom: {secretKeyRef: {name: openai, key: key}}}]
  scaling: {min: 0, max: 10, concurrency: 10, idle: 60s}
  delivery: {timeout: 300s, retry: 3, backoffDelay: 5s, backoffPolicy: exponential, suspensionExpiry: 72h}
  balance: round-robin
  tools: {content-generation: {timeout: 120s, retry: always}}
  triggers: [{filters: [{exact: {type: com.github.push}}]}]
";

#[test]
fn the_designs_file_is_read() {
    let pools = parse(GOOD).unwrap().pools;
    let [pool] = &pools[..] else {
        panic!("{pools:?}")
    };
    assert_eq!(pool.name.as_str(), "educational");
    let cargo = Run::Cargo {
        binary: "dormouse-educational".to_owned(),
        listen: Listen::Stdin,
    };
    assert_eq!(pool.run, cargo);
    let scaling = pool.scaling;
    assert_eq!((scaling.ceiling(3), scaling.idle.as_secs()), (10, 60));
    assert!(matches!(pool.env[0].value, EnvValue::Secret(_)));
    let tool = &pool.tools["content-generation"];
    assert_eq!(tool.retry, Some(Retry::Rule(RetryRule::Always)));
    assert_eq!(pool.triggers.len(), 1);
    assert_eq!(pool.queue_limit, 1_000);
    assert_eq!(pool.not_honoured().len(), 1);
}

#[test]
fn what_the_file_does_not_bound_the_platform_does() {
    for (scaling, ceiling) in [("{}", 7), ("{min: 9}", 9), ("{max: 30}", 30)] {
        let text = GOOD.replace("{min: 0, max: 10, concurrency: 10, idle: 60s}", scaling);
        let pool = parse(&text).unwrap().pools.remove(0);
        assert_eq!(pool.scaling.ceiling(7), ceiling, "{scaling}");
    }
}

#[test]
fn the_shipped_files_are_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/pools");
    let loaded = load_dir(folder.as_ref());
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    assert!(
        loaded
            .pools
            .iter()
            .any(|file| file.pool.name.as_str() == "educational")
    );
}

#[test]
fn what_only_a_cluster_honours_is_named() {
    let text = GOOD.replace(
        "  balance: round-robin\n",
        "  balance: session-affinity\n  capabilities: [a]\n  poolSize: 3\n  \
         autoscaling: {enabled: true, minReplicas: 1, maxReplicas: 10}\n  \
         server: main\n  resources: {limits: {cpu: 1}}\n  serviceAccountName: x\n",
    );
    let text = text.replace("[{filters", "[{direct: true, filters");
    let pool = parse(&text).unwrap().pools.remove(0);
    assert_eq!(pool.balance, Balance::SessionAffinity);
    assert!(!pool.triggers[0].direct);
    for field in [
        "image",
        "capabilities",
        "poolSize",
        "autoscaling.maxReplicas",
        "server",
        "resources",
        "serviceAccountName",
        "triggers[0].direct",
    ] {
        let named = |words: &String| words.starts_with(&format!("spec.{field}: "));
        assert!(pool.not_honoured().iter().any(named), "{field}");
    }
}

#[test]
fn an_mcp_server_is_parsed_and_named_as_not_runnable() {
    let text = GOOD.replace(
        "run: {cargo: dormouse-educational}",
        "run: {mcp: {command: npx, args: [-y, some-server]}}",
    );
    let pool = parse(&text).unwrap().pools.remove(0);
    assert!(matches!(pool.run, Run::Mcp(_)));
    assert!(
        pool.not_honoured()
            .iter()
            .any(|words| words.contains("spec.run.mcp"))
    );
}

#[test]
fn errors_tell_the_place_and_what_is_allowed() {
    // (what is replaced, by what, line, what the words must hold)
    let table = [
        ("agentType", "agentTyp", 5, "agentType"),
        (
            "dormouse.dev/v1alpha1",
            "dormouse.dev/v2",
            1,
            "dormouse.dev/v1alpha1",
        ),
        ("AgentPool", "ConfigMap", 2, "AgentPool"),
        ("name: educational", "name: Not_A_Label", 3, "63"),
        (
            "run: {cargo: dormouse-educational}",
            "run: {}",
            6,
            "exactly one",
        ),
        (
            "run: {cargo: dormouse-educational}",
            "run: {cargo: a, mcp: {}}",
            6,
            "exactly one",
        ),
        (
            "run: {cargo: dormouse-educational}",
            "run: {cargo: ../x}",
            6,
            "cargo binary",
        ),
        (
            "run: {cargo: dormouse-educational}",
            "run: {command: {a: b}}",
            6,
            "list",
        ),
        (
            "{cargo: dormouse-educational}",
            "{command: x, listen: tcp}",
            6,
            "stdin",
        ),
        ("min: 0", "min: 11", 9, "more than spec.scaling.max"),
        ("max: 10", "max: 0", 9, "at least 1"),
        ("max: 10", "max: many", 9, "whole number"),
        ("concurrency: 10", "concurrency: 0", 9, "between 1 and 1000"),
        ("idle: 60s", "idle: 60", 9, "duration"),
        ("timeout: 300s", "timeout: 0s", 10, "no time at all"),
        (
            "timeout: 300s",
            "deadLetterSink: {uri: grave.example}",
            10,
            "absolute http or https URL",
        ),
        ("retry: 3", "retry: often", 10, "retry"),
        ("round-robin", "random", 11, "least-connections"),
        ("OPENAI_API_KEY", "K_SINK", 8, "set by the platform"),
        ("name: openai", "name: ../openai", 8, "names no secret"),
        ("exact:", "exactly:", 13, "exact"),
        (
            "exact: {type:",
            "exact: {Type:",
            13,
            "`Type` is no attribute name",
        ),
        (
            "exact: {type: com.github.push}",
            "cesql: type LIKE com",
            13,
            "expected a string after LIKE, found `com` (character 11)",
        ),
        ("spec:", "spec: [", 4, ""),
    ];
    for (from, to, line, words) in table {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(words), "{to}: {error}");
        if !words.is_empty() {
            assert_eq!(error.line, line, "{to}: {error}");
        }
    }
}

#[test]
fn one_broken_file_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", GOOD);
    write("b.yaml", "kind: [");
    write("c.yml", &GOOD.replace("name: educational", "name: other"));
    write("d.yaml", GOOD);
    write("e.yaml", "\u{0}");
    std::fs::write(folder.path().join("f.yaml"), b"\xff\xfe\xfd").unwrap();
    write("notes.txt", "not a pool");
    write(".a.yaml.swp.yaml", "kind: [");
    write("two.yaml", &format!("{}---\n{}", one("x"), one("y")));

    let loaded = load_dir(folder.path());
    let names: Vec<_> = loaded
        .pools
        .iter()
        .map(|file| file.pool.name.as_str())
        .collect();
    assert_eq!(names, ["educational", "other", "x", "y"]);
    assert_eq!(loaded.errors.len(), 4, "{:?}", loaded.errors);
    let duplicate = loaded
        .errors
        .iter()
        .find(|error| matches!(error, LoadError::Duplicate { .. }))
        .unwrap()
        .to_string();
    assert!(
        duplicate.contains("d.yaml") && duplicate.contains("a.yaml"),
        "{duplicate}"
    );
    let broken = loaded.errors[0].to_string();
    assert!(broken.contains("b.yaml:1:"), "{broken}");
}

#[test]
fn a_missing_folder_is_an_error() {
    let loaded = load_dir("no/such/folder".as_ref());
    assert!(matches!(loaded.errors[..], [LoadError::Unreadable { .. }]));
}

fn one(name: &str) -> String {
    GOOD.replace("name: educational", &format!("name: {name}"))
}

fn documents() -> impl Strategy<Value = Document> {
    let env = proptest::collection::btree_map("[A-JL-O_][A-Z0-9_]{0,8}", ".{0,12}", 0..4);
    let words = proptest::collection::vec("[^\\x00]{1,12}", 1..4);
    let most = proptest::option::of(5_u32..50);
    let scaling = (0_u32..5, most, 1_u32..1_000, 0_u64..1_000_000);
    ("[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", words, env, scaling).prop_map(
        |(name, words, env, (min, max, concurrency, idle))| {
            let env = env
                .into_iter()
                .map(|(name, value)| dormouse_pool::EnvSpec {
                    name,
                    value: Some(value.replace('\0', "")),
                    value_from: None,
                })
                .collect();
            Document {
                api_version: dormouse_pool::API_VERSION.to_owned(),
                kind: dormouse_pool::KIND.to_owned(),
                metadata: Metadata {
                    name,
                    ..Metadata::default()
                },
                spec: Spec {
                    run: Some(RunSpec {
                        command: Some(dormouse_pool::CommandSpec::Words(words)),
                        ..RunSpec::default()
                    }),
                    env,
                    scaling: ScalingSpec {
                        min: Some(min),
                        max,
                        concurrency,
                        idle: std::time::Duration::from_millis(idle),
                    },
                    ..Spec::default()
                },
            }
        },
    )
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        at in 0..GOOD.len(), len in 0_usize..20, with in "[ -~\\n\\x00]{0,8}"
    ) {
        let mut text = GOOD.to_owned();
        text.replace_range(at..(at + len).min(GOOD.len()), &with);
        let _ = parse(&text);
    }

    #[test]
    fn what_is_written_reads_back(document in documents()) {
        let text = serde_saphyr::to_string(&document).unwrap();
        let file = parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let expected = dormouse_pool::Pool::from_document(document)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&file.pools, &[expected]);
    }
}
