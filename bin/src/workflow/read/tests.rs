use proptest::prelude::*;

use super::*;

const YAML: &[u8] = b"tasks: {a: {run: x}}";
const JSON: &[u8] = br#"{"tasks": {"a": {"run": "x"}}}"#;

fn message(file: &str, bytes: &[u8]) -> String {
    match parse(Path::new(file), bytes) {
        Err(error) => error.to_string(),
        Ok(workflow) => format!("{workflow:?}"),
    }
}

fn name(file: &str) -> String {
    let workflow = parse(Path::new(file), JSON).expect("is valid");
    workflow.name
}

#[test]
fn a_workflow_without_a_name_is_named_after_its_file() {
    assert_eq!(name("some/folder/nightly.v2.json"), "nightly.v2");
    assert_eq!(name("my report (é).json"), "my-report----");
    assert_eq!(name(".json"), ".json");
    assert_eq!(name(""), "workflow");
    assert_eq!(
        name(&format!("{}.json", "x".repeat(200))).len(),
        limits::NAME_CHARS
    );
}

#[test]
fn the_syntax_follows_from_the_extension_else_from_the_content() {
    assert!(parse(Path::new("w.yml"), YAML).is_ok());
    assert!(parse(Path::new("w.JSON"), JSON).is_ok());
    assert!(parse(Path::new("w"), YAML).is_ok());
    assert!(parse(Path::new("w.workflow"), JSON).is_ok());
    assert!(parse(Path::new("w.json"), YAML).is_err());
    let marked = [b"\xef\xbb\xbf", JSON].concat();
    assert!(
        parse(Path::new("w.json"), &marked).is_ok(),
        "a byte order mark is skipped"
    );
}

#[test]
fn a_syntax_error_is_named_with_line_and_column() {
    let cases: [(&str, &[u8], &str); 10] = [
        (
            "w.json",
            b"{\"tasks\": {\n  \"a\": 1,}}",
            "w.json: line 2, column 10: trailing comma",
        ),
        (
            "w.json",
            b"{} x",
            "w.json: line 1, column 4: trailing characters",
        ),
        (
            "w.json",
            b" \n",
            "w.json: line 1, column 1: the file is empty",
        ),
        (
            "w.json",
            &b"[".repeat(200),
            "w.json: line 1, column 128: recursion limit exceeded",
        ),
        (
            "w.yaml",
            b"tasks:\n  a: {run: 'x}\n",
            "w.yaml: line 2, column 12: unclosed quote",
        ),
        (
            "w.yaml",
            b"tasks:\n\ta: {}\n",
            "w.yaml: line 2, column 2: tabs disallowed within this context (block indentation)",
        ),
        (
            "w.yaml",
            b"tasks: {a: !x {}}",
            "w.yaml: line 1, column 15: unsupported tag `!x`",
        ),
        (
            "w.yaml",
            b"tasks: *a",
            "w.yaml: line 1, column 8: reference to unknown value",
        ),
        (
            "w.yaml",
            b"tasks: {}\n---\ntasks: {}\n",
            "w.yaml: line 3, column 1: only single YAML document expected but multiple found",
        ),
        (
            "w.yaml",
            b"a: 1\n\xc3\xa9\xff",
            "w.yaml: line 2, column 2: the file is not UTF-8 text from here on",
        ),
    ];
    for (file, bytes, expected) in cases {
        assert_eq!(message(file, bytes), expected);
    }
}

#[test]
fn a_small_file_that_aliases_blow_up_is_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10];
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", aliases.join(",")));
    }
    let refused = message("w.yaml", bomb.as_bytes());
    assert!(refused.contains("too large or too complex"), "{refused}");
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a,".repeat(100)
    );
    let refused = message("w.yaml", long.as_bytes());
    assert!(refused.contains("too large or too complex"), "{refused}");
}

#[test]
fn a_file_with_too_many_values_or_bytes_is_refused() {
    let many = format!("[{}1]", "1,".repeat(limits::FILE_VALUES));
    let refused = message("w.json", many.as_bytes());
    let expected = "the file holds more than 5000000 values or 67108864 bytes of text, counting each use of an alias";
    assert!(refused.ends_with(expected), "{refused}");
    let large = vec![b' '; limits::FILE_BYTES as usize + 1];
    let expected = "w.json is too large for a workflow file: the limit is 67108864 bytes";
    assert_eq!(message("w.json", &large), expected);
}

#[test]
fn a_file_that_cannot_be_read_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = folder.path().join("missing.yaml");
    let error = read(&missing).expect_err("is missing").to_string();
    let expected = format!(
        "cannot read the workflow file {}: No such file or directory",
        missing.display()
    );
    assert!(error.starts_with(&expected), "{error}");
    let error = read(folder.path()).expect_err("is a folder");
    assert!(matches!(error, WorkflowError::Unreadable { .. }), "{error}");

    let present = folder.path().join("present.yaml");
    std::fs::write(&present, YAML).expect("writes");
    assert_eq!(read(&present).expect("is valid").name, "present");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(Path::new("w"), &bytes);
    }

    #[test]
    fn no_mangled_workflow_panics(
        cut in 0usize..400,
        insert in "[\\[\\]{}:,&*!|>'\"#\\-\\s0-9a-z.é]{0,6}",
        json in any::<bool>(),
    ) {
        let text = include_str!("../../../../examples/report.yaml");
        let json_text = include_str!("../../../../examples/diamond.json");
        let (file, text) = if json { ("w.json", json_text) } else { ("w.yaml", text) };
        let mut cut = (cut * text.len()) / 400;
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        let mangled = format!("{}{insert}{}", &text[..cut], &text[cut..]);
        let first = message(file, mangled.as_bytes());
        prop_assert_eq!(first, message(file, mangled.as_bytes()), "the same each time");
    }
}
