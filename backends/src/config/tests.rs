use russet_engine::SystemClock;

use super::*;

fn refused(text: &str) -> String {
    match Config::from_toml(text) {
        Err(error) => error.to_string(),
        Ok(config) => panic!("it should be refused, not read as {config:?}"),
    }
}

async fn open(config: &Config) -> Result<Backend, ConfigError> {
    config.open(Arc::new(SystemClock)).await
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = Config::from_toml("").expect("it is read");
    assert_eq!(config, Config::default());
    assert_eq!(config.store.backend, StoreBackend::Embedded);
    assert_eq!(config.queue.backend, QueueBackend::Store);
}

#[test]
fn every_setting_is_read() {
    let text = r#"
        [store]
        backend = "embedded"
        data_dir = "/var/lib/russet"
        partitions = 8
        cache_mb = 64
        [queue]
        backend = "memory"
    "#;
    let config = Config::from_toml(text).expect("it is read");
    let store = StoreConfig {
        backend: StoreBackend::Embedded,
        data_dir: Some("/var/lib/russet".into()),
        partitions: Some(8),
        cache_mb: Some(64),
    };
    let queue = QueueConfig {
        backend: QueueBackend::Memory,
    };
    let expected = Config {
        store,
        queue,
        ..Config::default()
    };
    assert_eq!(config, expected);
    let written = toml::to_string(&config).expect("it is written");
    assert_eq!(Config::from_toml(&written).expect("it is read"), config);
}

#[test]
fn what_is_unknown_is_refused_by_name() {
    for (text, names) in [
        ("[store]\ndata_dri = \"x\"", ["data_dri", "data_dir"]),
        ("[stor]\nbackend = \"memory\"", ["stor", "queue"]),
        ("[store]\nbackend = \"memroy\"", ["store.backend", "memory"]),
        ("[queue]\nbackend = \"kafka\"", ["queue.backend", "store"]),
    ] {
        let error = refused(text);
        for name in names {
            assert!(error.contains(name), "{name} is not named in: {error}");
        }
    }
}

#[test]
fn what_is_out_of_range_is_refused_with_its_range() {
    let error = refused("[store]\npartitions = 0");
    assert_eq!(error, "[store] partitions is 0: set it to 1 to 4096");
    let error = refused("[store]\ncache_mb = 0");
    assert!(error.starts_with("[store] cache_mb is 0"), "{error}");
}

#[test]
fn sentinels_and_a_cluster_exclude_one_another() {
    let cluster = "[store]\nbackend = 'redis'\n[redis]\ncluster = true\n";
    let nodes = format!("{cluster}cluster_nodes = ['10.0.0.2:6379']\n");
    let config = Config::from_toml(&nodes).expect("it is read");
    let others = vec!["10.0.0.2:6379".to_owned()];
    let topology = config.redis.options(None).topology;
    assert_eq!(topology, crate::redis::Topology::Cluster { others });
    let error = refused(&format!("{cluster}sentinel_master = 'main'\n"));
    for named in ["[redis] cluster", "sentinel_master", "keep one"] {
        assert!(error.contains(named), "{named} is not named in: {error}");
    }
}

#[tokio::test]
async fn stores_and_queues_are_chosen_separately() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for store in [StoreBackend::Memory, StoreBackend::Embedded] {
        for queue in [QueueBackend::Store, QueueBackend::Memory] {
            let config = Config {
                store: StoreConfig {
                    backend: store,
                    data_dir: Some(directory.path().join("data")),
                    partitions: Some(2),
                    cache_mb: Some(1),
                },
                queue: QueueConfig { backend: queue },
                ..Config::default()
            };
            let backend = open(&config).await.expect("it opens");
            assert_eq!(backend.store.partitions(), 2);
            assert_eq!(backend.queue.is_fused(), queue == QueueBackend::Store);
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_open_names_its_setting() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut config = Config::default();
    config.store.data_dir = Some(directory.path().to_owned());
    config.store.partitions = Some(2);
    let held = open(&config).await.expect("it opens");
    let error = open(&config).await.err().expect("it is in use");
    assert!(
        error.to_string().starts_with("[store] data_dir: "),
        "{error}"
    );
    drop(held);
    config.store.partitions = Some(3);
    let error = open(&config).await.err().expect("it has 2 partitions");
    assert!(
        error.to_string().starts_with("[store] partitions: "),
        "{error}"
    );
}

#[test]
fn sentinels_and_nodes_that_would_not_be_used_are_refused() {
    let redis = "[store]\nbackend = 'redis'\n[redis]\n";
    for (setting, named) in [
        (
            "sentinels = ['10.0.0.2:26379']",
            "sentinel_master is not set",
        ),
        ("sentinel_password = 'sesame'", "sentinel_master is not set"),
        ("cluster_nodes = ['10.0.0.2:6379']", "cluster is not true"),
    ] {
        let error = refused(&format!("{redis}{setting}\n"));
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn tables_that_are_not_used_are_named() {
    let text = "[store]\nbackend = 'memory'\n[redis]\nprefix = 'a'\n[aws]\nregion = 'b'\n\
                [dynamodb]\ntable = 'c'\n[sqs]\nprefix = 'd'\n";
    let config = Config::from_toml(text).expect("it is read");
    let findings = config.examine(Arc::new(SystemClock)).await;
    let unused = findings
        .iter()
        .filter(|f| f.ok && f.detail.starts_with("not used"));
    let unused: Vec<_> = unused.map(|finding| finding.table).collect();
    assert_eq!(unused, ["redis", "aws", "dynamodb", "sqs"]);
    assert_eq!(Config::default().unused(), []);
    let queue = format!("{text}[queue]\nbackend = 'sqs'\n");
    let config = Config::from_toml(&queue).expect("it is read");
    let unused: Vec<_> = config
        .unused()
        .into_iter()
        .map(|(table, _)| table)
        .collect();
    assert_eq!(unused, ["redis", "dynamodb"]);
    let memory = "[store]\nbackend = 'memory'\ndata_dir = 'jobs'\ncache_mb = 1\n";
    let unused = Config::from_toml(memory).expect("it is read").unused();
    let why = |setting| format!("{setting} is not used: backend is not \"embedded\"");
    assert_eq!(
        unused,
        [("store", why("data_dir")), ("store", why("cache_mb"))]
    );
}

#[test]
fn what_is_settled_is_the_same_configuration_with_its_defaults_said() {
    let redis = Config::from_toml("[store]\nbackend = 'redis'\n").expect("it is read");
    let settled = redis.settled();
    assert_eq!(
        settled.redis.url.as_ref().map(|url| url.0.as_str()),
        Some(REDIS_URL)
    );
    let [said, meant] = [&settled, &redis].map(|config| config.redis.options(None));
    assert_eq!(said.timeout, meant.timeout);
    assert_eq!(
        (said.prefix, said.connections),
        (meant.prefix, meant.connections)
    );
    let embedded = Config::default().settled();
    assert_eq!(embedded.store.data_dir, Some(DATA_DIR.into()));
    assert_eq!(embedded.redis, RedisTable::default(), "it is not used");
}

#[test]
fn a_timeout_of_nothing_is_refused_by_the_name_of_its_setting() {
    let error = refused("[store]\nbackend = 'redis'\n[redis]\ntimeout_ms = 0\n");
    let text = "[redis] timeout_ms is 0: set it to 1 or more milliseconds";
    assert_eq!(error, text);
}

#[test]
fn an_error_names_the_table_of_the_setting_that_it_hangs_on() {
    use crate::aws::OpenError;
    use crate::redis::RedisOpenError;

    let partitions = || OpenError::Partitions {
        table: "russet".to_owned(),
        stored: 3,
        wanted: 4,
    };
    let no_table = OpenError::NoTable {
        table: "russet".to_owned(),
        create: "`russet config create`",
    };
    let silent = OpenError::Unreachable {
        endpoint: "http://127.0.0.1:1".to_owned(),
        why: "refused".to_owned(),
    };
    let setting = |setting| OpenError::Setting {
        setting,
        problem: "cannot be used",
    };
    let other = RedisOpenError::Partitions {
        address: "host:6379".to_owned(),
        prefix: "russet".to_owned(),
        found: "3".to_owned(),
        asked: 4,
    };
    let replica = RedisOpenError::Replica {
        address: "host:6379".to_owned(),
    };
    for (error, text) in [
        (
            ConfigError::Redis(other),
            "[store] partitions: the store \"russet\" in Redis at host:6379 has 3 partitions, and 4 \
             are asked for: set partitions to 3, or use another prefix to start empty",
        ),
        (
            ConfigError::Redis(replica),
            "[redis] Redis at host:6379 is a read-only replica: set the url to its primary, or use \
             Sentinel",
        ),
        (
            ConfigError::Dynamo(partitions()),
            "[store] partitions: the table \"russet\" has 3 partitions, not 4: set partitions to 3, \
             or use another table; the number is fixed when a table is made",
        ),
        (
            ConfigError::Dynamo(OpenError::NoRegion),
            "[aws] no region is configured: set region, or AWS_REGION, or a profile that has one",
        ),
        (
            ConfigError::Sqs(OpenError::NoCredentials {
                why: "none".to_owned(),
            }),
            "[aws] there are no credentials (none): set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or profile, or give the machine a role",
        ),
        (
            ConfigError::Sqs(silent),
            "[aws] http://127.0.0.1:1 does not answer (refused): check endpoint_url, region and \
             the network",
        ),
        (
            ConfigError::Sqs(setting("endpoint_url")),
            "[aws] endpoint_url cannot be used",
        ),
        (
            ConfigError::Sqs(setting("prefix")),
            "[sqs] prefix cannot be used",
        ),
        (
            ConfigError::Dynamo(no_table),
            "[dynamodb] there is no table \"russet\": check table and the region, or make it with \
             `russet config create`",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}
