//! Data directories, addresses and settings with which a server does not start.

use std::fs;

use russet_tests::{Process, Settings};
use serde_json::json;

use super::{RUSSET, server};

/// Starts a server that must not start; what it says.
#[track_caller]
pub fn refuses_to_start(settings: &Settings, arguments: &[&str]) -> String {
    let mut command = settings.command();
    let (status, said) = Process::start(command.args(arguments)).end();
    assert_eq!(status.code(), Some(2), "{status}: {said}");
    assert!(said.contains("error: "), "it does not say why: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[track_caller]
pub fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "it does not say {word:?}: {said}");
    }
}

#[test]
fn a_data_directory_in_use_is_refused_and_stays_in_use() {
    let server = server();
    let path = server._folder.path();
    let said = refuses_to_start(&Settings::new(RUSSET, path), &[]);
    says(
        &said,
        &[
            "in use by another process",
            "stop that process",
            &path.display().to_string(),
        ],
    );
    let submitted = server
        .serve
        .client()
        .post("/v1/tasks", &json!({"type": "t"}));
    submitted.expect("the first server answers").good();
}

#[test]
fn a_data_directory_that_is_a_file_is_refused() {
    let file = tempfile::NamedTempFile::new().expect("makes a file");
    let said = refuses_to_start(&Settings::new(RUSSET, file.path()), &[]);
    says(&said, &["cannot be used", "check that it is a directory"]);
}

#[test]
fn an_address_open_to_others_needs_tokens() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let data_dir = folder.path().join("data");
    let settings = Settings::new(RUSSET, &data_dir);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let said = refuses_to_start(&settings.clone().listening(address), &[]);
        says(
            &said,
            &[
                address,
                "can be reached from other machines",
                "RUSSET_TOKENS",
                "127.0.0.1",
            ],
        );
    }
    assert!(
        !data_dir.exists(),
        "a server that does not start makes no data directory"
    );
}

#[test]
fn a_server_with_tokens_takes_nothing_from_others() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let mut settings = Settings::new(RUSSET, folder.path());
    settings.tokens = Some("0123456789abcdef0123456789abcdef".to_owned());
    let mut serve = settings.start();
    for path in ["/v1/tasks", "/metrics", "/openapi.json"] {
        let reply = serve.client().get(path).expect("answers");
        assert_eq!(
            (reply.status, &*reply.code()),
            (401, "unauthorized"),
            "{path}"
        );
    }
    let said = serve.process.said();
    assert!(
        !said.contains("0123456789abcdef"),
        "a token is in the log: {said}"
    );
    assert!(!serve.process.has_ended());
}

#[test]
fn settings_that_cannot_be_are_refused_with_their_name() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let config = folder.path().join("russet.toml");
    let settings = Settings::new(RUSSET, &folder.path().join("data"));
    let with = |text: &str| {
        fs::write(&config, text).expect("writes");
        refuses_to_start(&settings, &["--config", config.to_str().expect("is text")])
    };
    says(
        &with("[server]\nlissten = '127.0.0.1:0'\n"),
        &["russet.toml", "line 2", "lissten", "listen"],
    );
    says(&with("[server\n"), &["russet.toml", "line 1"]);
    says(
        &with("[server]\ntokens = ['short']\n"),
        &["tokens", "16 characters"],
    );
    says(
        &with("[store]\nbackend = 'floppy'\n"),
        &["line 2", "store.backend", "embedded"],
    );
    let missing = refuses_to_start(&settings, &["--config", "no/such/file.toml"]);
    says(&missing, &["no/such/file.toml"]);
    says(
        &refuses_to_start(&settings.clone().listening("7718"), &[]),
        &["listen", "127.0.0.1:7718"],
    );
}
