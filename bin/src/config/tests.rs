use clap::ValueEnum;
use russet_backends::config::{REDIS_URL, StoreBackend};
use russet_backends::limits::{REDIS_CALL, REDIS_CONNECTIONS};

use super::*;

#[test]
fn every_table_is_read_and_a_flag_goes_before_the_file() {
    let text = "[server]\nlisten = '127.0.0.1:1'\n[store]\ndata_dir = 'a'\npartitions = 2\n";
    let config = Config::parse(text).expect("is a configuration");
    assert_eq!(config.server.listen.as_deref(), Some("127.0.0.1:1"));
    assert_eq!(config.backend(None).store.data_dir, Some("a".into()));
    let store = config.backend(Some(Path::new("b"))).store;
    assert_eq!(
        (store.data_dir, store.partitions),
        (Some("b".into()), Some(2))
    );
}

#[test]
fn an_unknown_setting_is_refused_with_its_place() {
    for (text, unknown) in [
        ("[server]\nlissten = '127.0.0.1:1'\n", "lissten"),
        ("[store]\ndata_dri = 'x'\n", "data_dri"),
    ] {
        let text = Config::parse(text).expect_err("unknown").to_string();
        assert!(text.contains("line 2") && text.contains(unknown), "{text}");
    }
}

#[test]
fn clocks_may_be_apart_as_configured_up_to_a_minute() {
    let skew = |text: &str| {
        let config = Config::parse(text).expect("is a configuration");
        config.max_clock_skew()
    };
    assert_eq!(skew("").ok(), Some(Millis::ZERO));
    let shared = skew("[store]\nbackend = 'redis'\n");
    assert_eq!(shared.ok(), Some(Millis::new(500)));
    let configured = skew("[server]\nmax_clock_skew_ms = 250\n");
    assert_eq!(configured.ok(), Some(Millis::new(250)));
    let absurd = skew("[server]\nmax_clock_skew_ms = 60001\n").expect_err("is absurd");
    let start = "max_clock_skew_ms: 60001 is more than 60000; synchronise the clocks";
    assert!(absurd.to_string().starts_with(start), "{absurd}");
}

#[test]
fn a_token_that_can_be_guessed_is_refused() {
    assert!(tokens(vec!["secret".into()]).is_err());
    assert!(tokens(vec!["with a space in the middle".into()]).is_err());
    assert!(tokens(vec!["0123456789abcdef".into()]).is_ok());
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    let text = listen("7718").expect_err("no address").to_string();
    assert!(
        text.starts_with("listen: \"7718\" is not an address; write"),
        "{text}"
    );
    assert!(listen("localhost:0").is_ok());
}

fn load(settings: &[Setting]) -> Result<Config, ConfigError> {
    Config::load(None, settings)
}

fn environment(variables: &[(&str, &str)]) -> Vec<Setting> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Setting::from_environment(variables.iter().map(own))
}

#[test]
fn the_environment_goes_before_the_file_and_flags_before_both() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("russet.toml");
    std::fs::write(&file, "[store]\npartitions = 2\ncache_mb = 7\n").expect("is written");
    let mut settings = environment(&[
        ("RUSSET_STORE_PARTITIONS", "3"),
        ("RUSSET_STORE_DATA_DIR", "12"),
        ("RUSSET_TOKEN", "not a table of ours"),
        ("PATH", "nor this"),
    ]);
    settings.push(Setting::from_flag("store.partitions=4").expect("a setting"));
    let store = Config::load(Some(&file), &settings).expect("is read").store;
    assert_eq!(store.partitions, Some(4));
    assert_eq!(store.cache_mb, Some(7));
    assert_eq!(
        store.data_dir,
        Some("12".into()),
        "a text stays one where it must"
    );
}

#[test]
fn lists_are_set_as_toml_writes_them() {
    let setting = Setting::from_flag("server.tokens=['0123456789abcdef']").expect("a setting");
    let config = load(&[setting]).expect("is read");
    assert_eq!(config.server.tokens, ["0123456789abcdef"]);
}

#[test]
fn a_setting_that_cannot_be_is_refused_by_the_name_its_user_knows() {
    let refused = |settings: &[Setting]| load(settings).expect_err("cannot be").to_string();
    let unknown = refused(&environment(&[("RUSSET_STORE_DATADIR", "x")]));
    assert!(
        unknown.starts_with("RUSSET_STORE_DATADIR: unknown field `datadir`"),
        "{unknown}"
    );
    let typed = Setting::from_flag("store.partitions=many").expect("a setting");
    let typed = refused(&[typed]);
    assert!(typed.starts_with("--set store.partitions: "), "{typed}");
    let expected = "expected a whole number from 0 to 65535; ";
    assert!(typed.contains(expected), "{typed}");
    for text in ["store.partitions", "partitions=4", "shop.x=1"] {
        let error = Setting::from_flag(text).expect_err("no setting");
        assert!(error.to_string().starts_with("--set"), "{error}");
    }
}

#[test]
fn tokens_are_never_shown() {
    let setting = Setting::from_flag("server.tokens=['0123456789abcdef']").expect("a setting");
    let config = load(&[setting]).expect("is read");
    let shown = toml::to_string(&config).expect("is written");
    assert!(
        shown.contains("***") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
}

#[test]
fn every_template_is_a_configuration_and_names_its_backend() {
    for template in Template::value_variants() {
        let config = Config::parse(&template.text()).expect("is a configuration");
        let backend = match template {
            Template::Embedded => StoreBackend::Embedded,
            Template::Memory => StoreBackend::Memory,
            Template::Redis => StoreBackend::Redis,
            Template::Aws => StoreBackend::Dynamodb,
        };
        assert_eq!(config.store.backend, backend);
    }
}

#[test]
fn the_defaults_that_templates_name_are_settings_that_exist() {
    for template in Template::value_variants() {
        let text = template.text();
        let lines = text.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        let uncommented: Vec<_> = lines.collect();
        let read = Config::parse(&uncommented.join("\n"));
        read.unwrap_or_else(|error| panic!("{template:?}: {error}"));
    }
}

#[test]
fn the_template_for_redis_says_what_is_so_unless_configured() {
    let text = Template::Redis.text();
    let says = |setting: String| assert!(text.contains(&format!("\n#{setting}\n")), "{setting}");
    says(format!("url = {REDIS_URL:?}"));
    says(format!("timeout_ms = {}", REDIS_CALL.as_millis()));
    says(format!("connections = {REDIS_CONNECTIONS}"));
}
