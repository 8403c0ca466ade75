//! What is checked of a cluster before a store is opened.

use std::sync::Arc;

use russet_backends::redis::{self, Redis, RedisOpenError, RedisOptions, Topology};
use russet_core::PartitionId;
use russet_engine::{Store, SystemClock};
use russet_servers::{Certificate, RedisCluster, RedisServer, RedisVersion, free_port};

use super::super::nodes::submit_in;
use super::super::open;
use super::options;

const ALL: [RedisVersion; 3] = [
    RedisVersion::Redis6,
    RedisVersion::Redis7,
    RedisVersion::Valkey9,
];

async fn refused(options: RedisOptions) -> RedisOpenError {
    let examined = redis::examine(options.clone(), Arc::new(SystemClock)).await;
    let opened = Redis::open(options, Arc::new(SystemClock)).await;
    let error = opened.err().expect("it is refused");
    let examined = examined.expect_err("it is refused").to_string();
    assert_eq!(examined, error.to_string());
    error
}

#[track_caller]
fn says(error: &RedisOpenError, parts: &[&str]) {
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!error.contains("sesame"), "a password is shown: {error}");
}

#[tokio::test]
async fn a_node_of_a_cluster_is_refused_unless_it_is_used_as_one() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let error = refused(RedisOptions::new(cluster.servers()[0].url())).await;
    assert!(matches!(error, RedisOpenError::Cluster { .. }), "{error}");
    says(&error, &["set cluster to true"]);
}

#[tokio::test]
async fn a_server_by_itself_is_no_cluster() {
    for version in ALL {
        let server = RedisServer::start(version);
        let mut options = RedisOptions::new(server.url());
        options.topology = Topology::Cluster { others: Vec::new() };
        let error = refused(options).await;
        assert!(matches!(error, RedisOpenError::NoCluster { .. }), "{error}");
        says(&error, &["set cluster to false"]);
    }
}

/// Nobody has its slots.
#[tokio::test]
async fn a_cluster_that_does_not_work_is_refused() {
    let server = RedisServer::start_with(RedisVersion::Redis7, &["--cluster-enabled", "yes"]);
    let mut options = RedisOptions::new(server.url());
    options.topology = Topology::Cluster { others: Vec::new() };
    let error = refused(options).await;
    says(&error, &["cluster_state is fail", "every slot"]);
}

/// A node starts on what is up, and the check says what is not.
#[tokio::test]
async fn a_cluster_that_is_not_whole_is_used_as_far_as_it_goes() {
    let goes_on = ["--cluster-require-full-coverage", "no"];
    let mut cluster = RedisCluster::start(RedisVersion::Redis7, &goes_on);
    let mut options = options(&cluster);
    options.partitions = Some(8);
    drop(open(options.clone()).await);
    let slot_of = |key: &str| {
        let answer = cluster.ask(0, &format!("CLUSTER KEYSLOT {{{key}}}"));
        let number = answer.trim_start_matches(':').lines().next();
        number.and_then(|n| n.parse().ok()).expect("a slot")
    };
    let owner = |key: &str| cluster.owner(slot_of(key));
    let of_store = owner("russet");
    let owners: Vec<_> = (0..8).map(|n| owner(&format!("russet:{n}"))).collect();
    let down = (0..3).find(|node| *node != of_store && owners.contains(node));
    let down = down.expect("another node has a partition");
    let url = cluster.servers()[of_store].url();
    let address = format!("127.0.0.1:{}", cluster.servers()[down].process().port());
    cluster.servers_mut()[down].process_mut().kill();
    options.url = url;
    let redis = open(options.clone()).await;
    for (partition, owner) in (0..).map(PartitionId).zip(owners) {
        let submitted = submit_in(&redis, partition, 1).await;
        assert_eq!(
            submitted.is_ok(),
            owner != down,
            "{partition:?}: {submitted:?}"
        );
    }
    let examined = redis::examine(options.clone(), Arc::new(SystemClock)).await;
    let error = examined.expect_err("it is not whole");
    assert!(matches!(error, RedisOpenError::NotWhole { .. }), "{error}");
    says(&error, &[&address, "has the slots", "start the node"]);
    cluster.servers_mut()[of_store].process_mut().kill();
    options.url = cluster.servers()[3 - of_store - down].url();
    let opened = Redis::open(options, Arc::new(SystemClock)).await;
    let error = opened.err().expect("its node has how the store was made");
    assert!(matches!(error, RedisOpenError::NotWhole { .. }), "{error}");
}

#[tokio::test]
async fn a_cluster_has_only_one_database() {
    let mut options = RedisOptions::new("redis://me:sesame@127.0.0.1:1/3");
    options.topology = Topology::Cluster { others: Vec::new() };
    says(&refused(options).await, &["database 3", "only 0", "url"]);
}

#[tokio::test]
async fn another_node_is_asked_when_that_of_the_url_is_gone() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    let mut options = options(&cluster);
    let url = options.url.replace(
        &cluster.servers()[0].process().port().to_string(),
        &free_port().to_string(),
    );
    options.url = url;
    let error = refused(options.clone()).await;
    assert!(
        matches!(error, RedisOpenError::Unreachable { .. }),
        "{error}"
    );
    let other = cluster.servers()[2].process().port();
    let with = |other: String| Topology::Cluster {
        others: vec![other],
    };
    options.topology = with(format!("127.0.0.1:{other}"));
    open(options.clone()).await;
    options.topology = with("nowhere".to_owned());
    says(
        &refused(options).await,
        &["node 1 of the list", "host:port"],
    );
}

/// All nodes are looked at, not only that of the url.
#[tokio::test]
async fn a_node_that_cannot_be_used_is_named() {
    let cluster = RedisCluster::start(RedisVersion::Redis7, &[]);
    for node in 0..3 {
        let address = format!("127.0.0.1:{}", cluster.servers()[node].process().port());
        cluster.tell(node, "CONFIG SET maxmemory-policy allkeys-lru");
        let error = refused(options(&cluster)).await;
        assert!(matches!(error, RedisOpenError::Evicts { .. }), "{error}");
        says(&error, &[&address, "allkeys-lru"]);
        cluster.tell(node, "CONFIG SET maxmemory-policy noeviction");
    }
    for node in 0..3 {
        let rules = match node {
            1 => "+@all -zadd",
            _ => "+@all",
        };
        let line = format!("ACL SETUSER me reset on >sesame ~* &* {rules}");
        cluster.tell(node, &line);
    }
    let mut options = options(&cluster);
    options.url = options.url.replace("redis://", "redis://me:sesame@");
    let error = refused(options).await;
    let address = format!("127.0.0.1:{}", cluster.servers()[1].process().port());
    says(&error, &[&address, "ZADD", "ACL SETUSER"]);
}

#[tokio::test]
async fn the_advised_rules_are_enough_in_a_cluster() {
    for version in ALL {
        let cluster = RedisCluster::start(version, &[]);
        let line = "ACL SETUSER me reset on >sesame +@read +@write +@scripting +@connection \
                    +@pubsub +info +role +time +wait resetchannels ~{russet* &{russet* +asking \
                    +cluster|info +cluster|slots";
        for node in 0..3 {
            cluster.tell(node, line);
        }
        let mut options = options(&cluster);
        options.url = options.url.replace("redis://", "redis://me:sesame@");
        options.partitions = Some(8);
        let found = redis::examine(options.clone(), Arc::new(SystemClock)).await;
        let found = found.expect("it can be used");
        assert_eq!((found.primaries, found.partitions), (3, None));
        assert_eq!(open(options.clone()).await.partitions(), 8);
        super::moving::ask(&cluster, options).await;
    }
}

/// Also those to nodes that only other nodes have named.
#[tokio::test]
async fn connections_to_all_nodes_can_be_encrypted() {
    let certificate = Certificate::make();
    let of_tls = certificate.arguments();
    let mut arguments = vec!["--tls-cluster", "yes"];
    arguments.extend(of_tls.iter().map(String::as_str));
    let cluster = RedisCluster::start(RedisVersion::Redis7, &arguments);
    let mut options = options(&cluster);
    options.url = format!("rediss://127.0.0.1:{}", cluster.port(0));
    says(&refused(options.clone()).await, &["certificate"]);
    options.ca_file = Some(certificate.file());
    super::moving::ask(&cluster, options).await;
}
