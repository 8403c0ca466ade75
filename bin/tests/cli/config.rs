use russet_servers::{RedisCluster, RedisVersion};

use crate::process::{Ran, russet};

/// `russet config`, in a folder.
pub fn config(folder: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = russet();
    command.arg("config").args(arguments).current_dir(folder);
    command.envs(variables.iter().copied());
    command.output().expect("runs").into()
}

#[test]
fn a_configuration_is_written_once_and_can_be_used_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = config(folder.path(), &["init"], &[]);
    assert!(written.good().contains("config check"), "{written:?}");
    let again = config(folder.path(), &["init"], &[]);
    assert!(again.error(2).contains("is there already"), "{again:?}");
    let checked = config(folder.path(), &["check", "--config", "russet.toml"], &[]);
    let said = checked.good();
    assert!(said.contains("ok   store"), "{said}");
    assert!(
        !folder.path().join("russet-data").exists(),
        "a check makes nothing"
    );
}

#[test]
fn a_check_names_the_setting_that_cannot_be() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), "").expect("is written");
    let checked = config(
        folder.path(),
        &["check"],
        &[("RUSSET_STORE_DATA_DIR", "file/below")],
    );
    assert_eq!(checked.status, 1, "{checked:?}");
    let said = &checked.stdout;
    assert!(said.contains("BAD  store    [store] data_dir: "), "{said}");
}

#[test]
fn what_holds_is_shown_with_its_secrets_masked() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = config(
        folder.path(),
        &["show", "--set", "store.backend=memory"],
        &[
            ("RUSSET_STORE_BACKEND", "embedded"),
            ("RUSSET_SERVER_TOKENS", "['0123456789abcdef']"),
        ],
    );
    let said = shown.good();
    assert!(said.contains("backend = \"memory\""), "{said}");
    assert!(
        said.contains("***") && !said.contains("0123456789"),
        "{said}"
    );
}

#[test]
fn what_holds_is_shown_without_passwords_that_stand_where_none_should() {
    let folder = tempfile::tempdir().expect("a folder");
    for settings in [
        "[store]\nbackend = 'redis'\n[redis]\nurl = 'redis://host/0?password=sesame'\n",
        "[store]\nbackend = 'redis'\n[redis]\nsentinel_master = 'm'\nsentinels = ['me:sesame@h:1']\n",
        "[store]\nbackend = 'redis'\n[redis]\ncluster = true\ncluster_nodes = ['me:sesame@h:1']\n",
        "[store]\nbackend = 'dynamodb'\n[queue]\nbackend = 'sqs'\n\
         [aws]\nendpoint_url = 'https://me:sesame@host'\n",
    ] {
        std::fs::write(folder.path().join("shown.toml"), settings).expect("is written");
        let shown = config(folder.path(), &["show", "--config", "shown.toml"], &[]);
        let said = shown.good();
        assert!(said.contains("***"), "{said}");
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn what_holds_is_shown_with_its_defaults_and_without_what_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = [("RUSSET_TOKENS", "0123456789abcdef")];
    let shown = config(
        folder.path(),
        &["show", "--set", "store.backend=redis"],
        &token,
    );
    let said = shown.good();
    for setting in [
        "listen = \"127.0.0.1:7718\"",
        "tokens = [\"***\"]",
        "max_clock_skew_ms = 500",
        "url = \"redis://127.0.0.1:6379\"",
        "timeout_ms = 5000",
    ] {
        assert!(said.contains(setting), "{setting}: {said}");
    }
    assert!(
        !said.contains("data_dir") && !said.contains("[aws]"),
        "{said}"
    );
    let again = folder.path().join("russet.toml");
    std::fs::write(&again, said).expect("is written");
    let again = again.to_str().expect("is text");
    config(folder.path(), &["show", "--config", again], &[]).good();
}

#[test]
fn a_table_that_nothing_uses_is_named_and_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = [("RUSSET_REDIS_URL", "redis://127.0.0.1:1")];
    let checked = config(
        folder.path(),
        &["check", "--set", "store.backend=memory"],
        &url,
    );
    let said = checked.good();
    let line = "WARN redis    not used: [store] backend is not \"redis\"";
    assert!(said.contains(line), "{said}");
}

#[test]
fn a_cluster_is_checked_as_one_only_when_it_is_used_as_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let url = cluster.servers()[1].url();
    let nodes = format!("['127.0.0.1:{}']", cluster.port(2));
    let mut variables = vec![
        ("RUSSET_STORE_BACKEND", "redis"),
        ("RUSSET_REDIS_URL", url.as_str()),
    ];
    let checked = config(folder.path(), &["check"], &variables);
    assert_eq!(checked.status, 1, "{checked:?}");
    let said = &checked.stdout;
    assert!(said.contains("BAD  store    [redis] "), "{said}");
    assert!(said.contains("set cluster to true"), "{said}");
    variables.push(("RUSSET_REDIS_CLUSTER", "true"));
    variables.push(("RUSSET_REDIS_CLUSTER_NODES", nodes.as_str()));
    let checked = config(folder.path(), &["check"], &variables);
    let said = checked.good();
    assert!(said.contains("a cluster of 3 at redis://"), "{said}");
    assert!(said.contains("will be made at the first start"), "{said}");
}

#[test]
fn an_address_that_serve_would_refuse_is_refused_by_the_check_too() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["RUSSET_SERVER_LISTEN", "RUSSET_LISTEN"] {
        let mut variables = vec![(name, "0.0.0.0:7999")];
        let checked = config(folder.path(), &["check"], &variables);
        assert_eq!(checked.status, 1, "{checked:?}");
        let said = &checked.stdout;
        assert!(
            said.contains("BAD  server   listen = 0.0.0.0:7999"),
            "{said}"
        );
        variables.push(("RUSSET_TOKENS", "0123456789abcdef0123456789abcdef"));
        let checked = config(folder.path(), &["check"], &variables);
        assert!(checked.good().contains("will listen on 0.0.0.0:7999"));
    }
}

#[test]
fn how_many_partitions_there_are_is_shown_or_said_to_be_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let show = |more: &[&str]| {
        let arguments = [&["show"], more].concat();
        config(folder.path(), &arguments, &[]).good().to_owned()
    };
    let open = show(&[]);
    let said = "[store]\n# partitions is not set: a new store gets 1, and one that is there has";
    assert!(open.contains(said), "{open}");
    assert!(show(&["--json"]).contains("\"partitions\":null"));
    let set = show(&["--set", "store.partitions=3"]);
    assert!(
        set.contains("partitions = 3") && !set.contains("not set"),
        "{set}"
    );
    assert!(show(&["--json", "--set", "store.partitions=3"]).contains("\"partitions\":3"));
}

/// What is said of a file with this text.
fn said_of(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("russet.toml"), text).expect("is written");
    let shown = config(folder.path(), &["show", "--config", "russet.toml"], &[]);
    shown.error(2).to_owned()
}

#[test]
fn a_password_in_a_setting_that_does_not_exist_is_not_repeated() {
    let said = said_of("[redis]\npassword = \"sesame-hunter2\"\n");
    let start = "russet.toml: line 2, column 1: redis: unknown field `password`, expected";
    assert!(said.contains(start), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_token_where_a_list_is_expected_is_not_repeated() {
    let said = said_of("[server]\ntokens = \"0123456789abcdef-sesame\"\n");
    let start = "russet.toml: line 2, column 10: server.tokens: expected a list, such as";
    assert!(said.contains(start), "{said}");
    assert!(!said.contains("0123456789"), "{said}");
}

#[test]
fn an_address_with_a_missing_quote_is_not_repeated() {
    let begun = said_of("[redis]\nurl = \"redis://me:sesame@host\n");
    assert!(
        begun.contains("russet.toml: line 2, column 30: "),
        "{begun}"
    );
    let ended = said_of("[redis]\nurl = redis://me:sesame@host\"\n");
    assert!(ended.contains("russet.toml: line 2, column 7: "), "{ended}");
    for said in [begun, ended] {
        assert!(!said.contains("sesame"), "{said}");
    }
}

#[test]
fn a_token_in_the_environment_that_is_no_list_is_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    for token in ["0123456789abcdef-sesame", "0123456789"] {
        let token = [("RUSSET_SERVER_TOKENS", token)];
        let shown = config(folder.path(), &["show"], &token);
        let said = shown.error(2);
        let start = "RUSSET_SERVER_TOKENS: expected a list, such as ['one', 'two']; ";
        assert!(said.contains(start), "{said}");
        assert!(!said.contains("0123456789"), "{said}");
    }
}

#[test]
fn what_is_expected_is_said_without_the_words_of_a_programmer() {
    let folder = tempfile::tempdir().expect("a folder");
    for (variable, value, expected) in [
        (
            "RUSSET_STORE_PARTITIONS",
            "many",
            "expected a whole number from 0 to 65535; ",
        ),
        (
            "RUSSET_STORE_CACHE_MB",
            "1.5",
            "expected a whole number, 0 or more; ",
        ),
        ("RUSSET_REDIS_CLUSTER", "yes", "expected true or false; "),
    ] {
        let shown = config(folder.path(), &["show"], &[(variable, value)]);
        let start = format!("error: {variable}: {expected}");
        assert!(shown.error(2).starts_with(&start), "{shown:?}");
    }
}

#[test]
fn a_sentinel_in_the_environment_that_is_no_list_is_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let sentinels = [("RUSSET_REDIS_SENTINELS", "me:sesame@host")];
    let shown = config(folder.path(), &["show"], &sentinels);
    let said = shown.error(2);
    let start = "RUSSET_REDIS_SENTINELS: expected a list, such as ['one', 'two']; ";
    assert!(said.contains(start), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn a_flag_that_is_no_setting_is_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    for (flag, start) in [
        (
            "redis:url=redis://me:sesame@host",
            "--set: \"redis:url\" names no setting; ",
        ),
        ("sesame", "--set: there is no value; "),
    ] {
        let shown = config(folder.path(), &["show", "--set", flag], &[]);
        let said = shown.error(2);
        assert!(said.contains(start) && !said.contains("sesame"), "{said}");
    }
}
