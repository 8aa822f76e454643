//! What [`super`] reads and what it refuses, in which words.

use super::*;

fn csv(text: &str) -> Result<Vec<Standard>, String> {
    read_csv("set.csv", text.as_bytes()).map_err(|error| error.to_string())
}

fn json(text: &str) -> Result<Vec<Standard>, String> {
    read_json("set.json", text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn the_sample_set_is_sound() {
    let sample = sample().unwrap();
    assert!(sample.len() >= 40);
    for subject in ["mathematics", "science", "language"] {
        let of_subject = |standard: &&Standard| standard.subject.as_deref() == Some(subject);
        assert!(sample.iter().filter(of_subject).count() >= 10, "{subject}");
    }
    assert!(sample.iter().all(|standard| standard.grade.is_some()));
}

#[test]
fn csv_columns_go_by_name_in_any_order() {
    let expected = Standard {
        id: "A1".into(),
        text: "Add, then check".into(),
        subject: None,
        grade: Some(Grade::new("3")),
    };
    for text in [
        "Text,ID,grade,subject,more\n\"Add, then check\",A1,3,,x\n",
        "id;grade;text\nA1;3;Add, then check\n",
        "id\tgrade\ttext\r\n A1 \t3\tAdd, then check\r\n",
    ] {
        assert_eq!(csv(text), Ok(vec![expected.clone()]), "{text}");
    }
}

#[test]
fn json_lists_and_wrapped_lists_are_read() {
    let entry = r#"{"id":"A1","text":"Add","grade":3,"subject":null,"more":[1]}"#;
    for text in [
        format!("[{entry}]"),
        format!("{{\"title\":\"x\",\"standards\":[{entry}]}}"),
    ] {
        let read = json(&text).unwrap();
        assert_eq!(
            (read[0].id.as_str(), read[0].grade.clone()),
            ("A1", Some(Grade::new("3")))
        );
    }
}

#[test]
fn what_is_wrong_is_named_by_file_row_and_column() {
    for (text, said) in [
        ("id,grade\nA,3\n", "row 1: there is no column `text`"),
        ("", "row 1: there is no column `id`"),
        ("id,text\n", "holds no standards"),
        ("id,text\nA,x\n,y\n", "row 3: column `id` is empty"),
        ("id,text\nA,\n", "row 2: column `text` is empty"),
        ("id,text\nA,x\nB,y,z\n", "row 3: it has 3 columns"),
        ("id,text\nA,x\nB,y\nA,z\n", "row 2 and row 4 have the same"),
    ] {
        let error = csv(text).unwrap_err();
        assert!(error.contains("set.csv") && error.contains(said), "{error}");
    }
    for (text, said) in [
        ("[{\"id\":\"A\",\n]", "line 2, column 1: this is not"),
        ("{\"a\":1}", "holds no standards"),
        ("[]", "holds no standards"),
        ("[1]", "entry 1: it must be an object"),
        (r#"[{"id":"A"}]"#, "entry 1: column `text` is empty"),
        (r#"[{"id":["A"],"text":"x"}]"#, "`id` must be a string"),
    ] {
        let error = json(text).unwrap_err();
        assert!(
            error.contains("set.json") && error.contains(said),
            "{error}"
        );
    }
    let latin = read_csv("set.csv", b"id,text\nA,caf\xe9\n").unwrap_err();
    assert!(latin.to_string().contains("row 2: column 2 is not UTF-8"));
}

#[test]
fn errors_never_quote_a_cell() {
    for error in [
        csv("id,text\nhunter2,\n").unwrap_err(),
        csv("id,text\nhunter2,x\nhunter2,y\n").unwrap_err(),
        json(r#"{"hunter2":"hunter2"}"#).unwrap_err(),
        json(r#"[{"id":"hunter2"}]"#).unwrap_err(),
        json(r#"[{"id":{"hunter2":1}}]"#).unwrap_err(),
        json(r#"["hunter2"#).unwrap_err(),
    ] {
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn files_are_found_bounded_and_kept_inside_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let write = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    write("root/ok.CSV", b"\xef\xbb\xbfid,text\nA,x\n");
    write("outside.csv", b"id,text\nA,x\n");
    write("root/set.txt", b"id,text\nA,x\n");
    write("root/big.json", &vec![b' '; 4 * 1024 * 1024 + 1]);
    std::os::unix::fs::symlink(dir.path().join("outside.csv"), root.join("link.csv")).unwrap();
    std::fs::create_dir(root.join("folder.csv")).unwrap();

    let open_in = |name: &str| open(Path::new(name), Some(&root));
    assert_eq!(open_in("ok.CSV").unwrap().len(), 1);
    let absolute = dir.path().join("outside.csv");
    assert_eq!(open(&absolute, None).unwrap().len(), 1);
    for name in ["../outside.csv", "link.csv", absolute.to_str().unwrap()] {
        assert!(
            matches!(open_in(name), Err(Error::Outside { .. })),
            "{name}"
        );
    }
    assert!(matches!(open_in("set.txt"), Err(Error::Format(_))));
    assert!(matches!(open_in("big.json"), Err(Error::TooLarge(_))));
    for name in ["none.csv", "folder.csv"] {
        assert!(
            matches!(open_in(name), Err(Error::Unreadable { .. })),
            "{name}"
        );
    }
}
