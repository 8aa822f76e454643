//! Event sources as people write them, well and badly.

use dormouse_pool::{DeclaredSource, NoSecret, load_dir, parse, with_secrets};
use dormouse_source::{Kind, Missed, Proof, Reading, Schedule};

const GITHUB: &str = "\
apiVersion: dormouse.dev/v1alpha1
kind: EventSource
metadata: {name: github}
spec:
  github:
    secret: {secretKeyRef: {name: github, key: webhook}}
";

const SHOP: &str = "\
apiVersion: dormouse.dev/v1alpha1
kind: EventSource
metadata: {name: shop}
spec:
  webhook:
    proof:
      hmac: {header: X-Signature, prefix: sha256=, encoding: base64, secret: {env: SHOP_SECRET}}
    event:
      type: {prefix: com.example.order., pointer: /kind}
      subject: {pointer: /order/id, optional: true}
      id: {header: X-Delivery}
      data: /order
      extensions: {region: eu}
";

const NIGHTLY: &str = "\
apiVersion: dormouse.dev/v1alpha1
kind: EventSource
metadata: {name: nightly}
spec:
  schedule:
    schedule: 30 2 * * *
    timezone: Europe/Berlin
    missed: all
    type: com.example.nightly
    subject: all
    data: {deep: [true, 1.5]}
";

const PING: &str = "\
apiVersion: sources.knative.dev/v1
kind: PingSource
metadata: {name: ping, namespace: lessons}
spec:
  schedule: '*/2 * * * *'
  contentType: application/json
  data: '{\"message\": \"Hello world!\"}'
  ceOverrides: {extensions: {extra: this is one}}
  sink: {ref: {apiVersion: v1, kind: Service, name: event-display}}
";

fn source(text: &str) -> DeclaredSource {
    parse(text).expect("a source").sources.remove(0)
}

fn schedule(text: &str) -> Schedule {
    match source(text).source.kind {
        Kind::Schedule(schedule) => *schedule,
        Kind::Webhook(webhook) => panic!("{webhook:?}"),
    }
}

#[test]
fn each_kind_of_source_is_read_beside_pools() {
    let pool = "apiVersion: dormouse.dev/v1alpha1\nkind: AgentPool\nmetadata: {name: shop}\nspec: {run: {command: x}}\n";
    let file = parse(&[GITHUB, pool, SHOP, NIGHTLY, PING].join("---\n")).unwrap();
    assert_eq!(file.pools.len(), 1);
    let words: Vec<_> = file.sources.iter().map(|it| it.source.word()).collect();
    assert_eq!(words, ["github", "webhook", "schedule", "schedule"]);
    let Kind::Webhook(shop) = &file.sources[1].source.kind else {
        panic!("{:?}", file.sources[1]);
    };
    assert!(matches!(&shop.proof, Proof::Hmac(hmac) if hmac.prefix == "sha256="));
    assert!(matches!(shop.reading, Reading::Mapped(_)));
    assert!(
        parse("# apiVersion: x\n---\n# nothing at all\n")
            .unwrap()
            .pools
            .is_empty()
    );
}

#[test]
fn a_schedules_payload_is_json_or_text() {
    let with =
        |payload: &str| schedule(&NIGHTLY.replace("    data: {deep: [true, 1.5]}\n", payload));
    let nightly = with("    data: {deep: [true, 1.5]}\n");
    assert_eq!(nightly.missed, Missed::All);
    assert_eq!(
        nightly.data.as_deref(),
        Some(&br#"{"deep":[true,1.5]}"#[..])
    );
    assert_eq!(nightly.source, "/sources/nightly");
    for (payload, media, data) in [
        ("", None, None),
        (
            "    data: go\n",
            Some("text/plain; charset=utf-8"),
            Some("go"),
        ),
        ("    data: 7\n", Some("application/json"), Some("7")),
        (
            "    contentType: application/json\n    data: '[1]'\n",
            Some("application/json"),
            Some("[1]"),
        ),
        (
            "    contentType: text/csv\n    data: a;b\n",
            Some("text/csv"),
            Some("a;b"),
        ),
        (
            "    dataBase64: Z28=\n",
            Some("application/octet-stream"),
            Some("go"),
        ),
    ] {
        let schedule = with(payload);
        assert_eq!(schedule.content_type.as_deref(), media, "{payload}");
        assert_eq!(
            schedule.data.as_deref(),
            data.map(str::as_bytes),
            "{payload}"
        );
    }
}

#[test]
fn a_ping_source_is_a_schedule_in_knatives_words() {
    let ping = schedule(PING);
    assert_eq!(ping.ty, "dev.knative.sources.ping");
    assert_eq!(ping.source, "/apis/v1/namespaces/lessons/pingsources/ping");
    assert_eq!(
        ping.data.as_deref(),
        Some(&br#"{"message": "Hello world!"}"#[..])
    );
    assert_eq!(ping.extensions["extra"], "this is one");
    assert_eq!(ping.missed, Missed::Skip);
    let ignored = source(PING).not_honoured_locally().join(" ");
    assert!(ignored.contains("spec.sink"), "{ignored}");
    let minutely = schedule(&PING.replace("  schedule: '*/2 * * * *'\n", ""));
    assert_eq!(minutely.cron.as_str(), "* * * * *");
}

#[test]
fn errors_tell_the_place_and_what_is_allowed() {
    // (text, what is replaced, by what, line, what the words must hold)
    let table = [
        (
            GITHUB,
            "    secret: {secretKeyRef: {name: github, key: webhook}}",
            "    unsigned: false",
            6,
            "unsigned: true",
        ),
        (
            GITHUB,
            "{secretKeyRef: {name: github, key: webhook}}",
            "{value: ''}",
            6,
            "anybody",
        ),
        (GITHUB, "key: webhook", "key: ../x", 6, "names no secret"),
        (
            GITHUB,
            "key: webhook",
            "key: webhook, optional: true",
            6,
            "optional",
        ),
        (
            GITHUB,
            "secretKeyRef: {name: github, key: webhook}",
            "file: x",
            6,
            "secretKeyRef",
        ),
        (GITHUB, "EventSource", "EventSauce", 2, "EventSource"),
        (GITHUB, "name: github}\n", "name: Git_Hub}\n", 3, "63"),
        (GITHUB, "  github:\n", "  gitlab:\n", 5, "github"),
        (
            GITHUB,
            "  github:\n",
            "  schedule: {schedule: '@hourly', type: t}\n  github:\n",
            5,
            "exactly one",
        ),
        (
            SHOP,
            "    proof:\n      hmac",
            "    prof:\n      hmac",
            6,
            "proof",
        ),
        (
            SHOP,
            "hmac: {header: X-Signature, prefix: sha256=, encoding: base64, secret: {env: SHOP_SECRET}}",
            "digest: {}",
            7,
            "hmac",
        ),
        (SHOP, "X-Signature", "X Signature", 7, "HTTP header"),
        (SHOP, "encoding: base64", "encoding: base32", 7, "base64"),
        (SHOP, "/kind", "kind", 9, "JSON pointer"),
        (SHOP, "{header: X-Delivery}", "{}", 11, "exactly one"),
        (SHOP, "region: eu", "Re-gion: eu", 13, "lower-case"),
        (NIGHTLY, "30 2 * * *", "30 25 * * *", 6, "30 2 * * *"),
        (NIGHTLY, "Europe/Berlin", "Europe/Bärlin", 7, "IANA"),
        (NIGHTLY, "missed: all", "missed: some", 8, "once"),
        (
            NIGHTLY,
            "com.example.nightly",
            "dev.dormouse.nightly",
            9,
            "the platform's own",
        ),
        (NIGHTLY, "    type: com.example.nightly\n", "", 10, "type"),
        (
            NIGHTLY,
            "    subject: all",
            "    source: a b",
            6,
            "URI-reference",
        ),
        (
            NIGHTLY,
            "    subject: all",
            "    dataBase64: aGk=",
            11,
            "keep one",
        ),
        (
            NIGHTLY,
            "    subject: all",
            "    contentType: text/plain",
            11,
            "quote it",
        ),
        (
            PING,
            "sources.knative.dev/v1",
            "sources.knative.dev/v1alpha1",
            1,
            "sources.knative.dev/v1",
        ),
        (PING, "world!\"}", "world!", 7, "JSON"),
    ];
    let mut wrong = Vec::new();
    for (text, from, to, line, words) in table {
        assert!(text.contains(from), "{from}");
        // The places are those of the file, whatever comes before.
        for (before, moved) in [("", 0), ("# first\n---\n", 2)] {
            let error = parse(&format!("{before}{}", text.replace(from, to))).unwrap_err();
            let is_told = error.to_string().contains(words) && error.line == line + moved;
            (!is_told).then(|| wrong.push(format!("{to}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_missing_proof_is_no_proof_of_none() {
    let without = SHOP.replace(
        "    proof:\n      hmac: {header: X-Signature, prefix: sha256=, encoding: base64, secret: {env: SHOP_SECRET}}\n",
        "",
    );
    let error = parse(&without).unwrap_err().to_string();
    assert!(
        error.contains("proof") && error.contains("`none`"),
        "{error}"
    );
    let open = SHOP.replace(
        "    proof:\n      hmac: {header: X-Signature, prefix: sha256=, encoding: base64, secret: {env: SHOP_SECRET}}\n",
        "    proof: none\n",
    );
    assert!(
        matches!(source(&open).source.kind, Kind::Webhook(webhook) if webhook.proof == Proof::None)
    );
}

#[test]
fn secrets_are_looked_up_and_missing_ones_named() {
    let resolve = |text: &str, found: Option<&str>| {
        let env = |_: &str| found.map(str::to_owned);
        with_secrets(source(text).source, env, |_| Ok(found.map(str::to_owned)))
    };
    for text in [GITHUB, SHOP] {
        assert!(resolve(text, Some("hush")).is_ok());
        assert!(resolve(text, Some("")).is_err());
    }
    assert!(resolve(NIGHTLY, None).is_ok());
    let error = resolve(GITHUB, None).unwrap_err();
    assert!(
        error.to_string().contains("secrets/github/webhook"),
        "{error}"
    );
    assert!(matches!(resolve(SHOP, None), Err(NoSecret::Variable(name)) if name == "SHOP_SECRET"));
}

#[test]
fn one_name_is_one_source() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), GITHUB).unwrap();
    std::fs::write(folder.path().join("b.yaml"), GITHUB).unwrap();
    let loaded = load_dir(folder.path());
    assert_eq!((loaded.sources.len(), loaded.errors.len()), (1, 1));
    let error = loaded.errors[0].to_string();
    assert!(
        error.contains("source `github`") && error.contains("a.yaml"),
        "{error}"
    );
}

#[test]
fn the_shipped_examples_are_inert_and_good() {
    let shipped = include_str!("../../../config/pools/sources.yaml");
    assert_eq!(parse(shipped), Ok(dormouse_pool::File::default()));
    let examples = shipped.split("\n\n").filter_map(|part| {
        let (_, example) = part.split_once("# ---\n")?;
        Some(example.replace("# ", ""))
    });
    let words: Vec<_> = examples.map(|it| source(&it).source.word()).collect();
    assert_eq!(words, ["github", "webhook", "schedule"]);
}
