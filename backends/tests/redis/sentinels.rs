//! Several sentinels, and passwords: of the sentinels, and of the primary.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use russet_backends::redis::{Redis, RedisOptions, Topology};
use russet_backends::secret::Secret;
use russet_engine::SystemClock;
use russet_servers::{Certificate, Process, RedisServer, RedisVersion, free_port};

use super::failing::ALL;
use super::nodes::{receive, submit};
use super::open;
use super::replicas::follow;
use super::sentinel::{sentinel_of, sentinel_with};

const OF_PRIMARY: &str = "sesame";
const OF_SENTINELS: &str = "poppy";

/// A primary with a password, and a sentinel with another one.
fn locked(version: RedisVersion) -> (RedisServer, Process) {
    let primary = RedisServer::start_with(version, &["--requirepass", OF_PRIMARY]);
    let settings = format!("requirepass {OF_SENTINELS}\nsentinel auth-pass main {OF_PRIMARY}\n");
    let sentinel = sentinel_with(&primary, &settings);
    (primary, sentinel)
}

/// The url names the first sentinel.
fn options(first: u16, others: &[u16], password: Option<&str>) -> RedisOptions {
    let mut options = RedisOptions::new(format!("redis://:{OF_PRIMARY}@127.0.0.1:{first}"));
    options.timeout = Duration::from_secs(2);
    options.topology = Topology::Sentinel {
        master: "main".to_owned(),
        others: others
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect(),
        password: password.map(|password| Secret(password.to_owned())),
    };
    options
}

#[tokio::test]
async fn when_the_first_sentinel_is_dead_the_second_is_asked_with_its_password() {
    for version in ALL {
        let (_primary, sentinel) = locked(version);
        let options = options(free_port(), &[sentinel.port()], Some(OF_SENTINELS));
        let redis = open(options).await;
        let task = submit(&redis, 1).await.expect("it is committed");
        assert_eq!(receive(&redis, Duration::from_secs(20)).await, [task]);
    }
}

#[tokio::test]
async fn when_the_first_sentinel_hangs_the_second_is_asked() {
    for version in ALL {
        let (primary, sentinel) = locked(version);
        let settings = format!("sentinel auth-pass main {OF_PRIMARY}\n");
        let hanging = sentinel_with(&primary, &settings);
        hanging.signal("STOP");
        let options = options(hanging.port(), &[sentinel.port()], Some(OF_SENTINELS));
        open(options).await;
        hanging.signal("CONT");
    }
}

/// A sentinel that names this server, whatever the others have decided since.
fn cut_off(named: &RedisServer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let named = named.process().port().to_string();
    let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{named}\r\n", named.len());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 1_024];
            while stream.read(&mut asked).is_ok_and(|bytes| bytes > 0) {
                // Whoever asks may have gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    port
}

/// It is one of two that have exchanged their roles, and the first sentinel has not heard of it.
#[tokio::test]
async fn when_the_first_sentinel_names_a_replica_the_second_is_asked() {
    for version in ALL {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let [before, primary] = [(); 2].map(|()| RedisServer::start_with(version, &at_once));
        follow(&before, &primary).await;
        let stale = cut_off(&before);
        let sentinel = sentinel_with(&primary, "");
        let with_sentinels = |others: &[u16]| {
            let mut options = options(stale, others, None);
            options.url = options.url.replace(&format!(":{OF_PRIMARY}@"), "");
            options
        };
        let redis = open(with_sentinels(&[sentinel.port()])).await;
        let task = submit(&redis, 1).await.expect("it is committed");
        assert_eq!(receive(&redis, Duration::from_secs(20)).await, [task]);
        let refused = Redis::open(with_sentinels(&[]), Arc::new(SystemClock)).await;
        let error = refused.err().expect("no sentinel is right").to_string();
        assert!(error.contains("it is a replica"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_of_a_sentinel_or_its_primary_is_named_and_not_shown() {
    for version in ALL {
        let (_primary, sentinel) = locked(version);
        let mut wrong = options(sentinel.port(), &[], Some(OF_SENTINELS));
        wrong.url = wrong.url.replace(OF_PRIMARY, "thistle");
        for (options, said) in [
            (options(sentinel.port(), &[], None), "set sentinel_password"),
            (
                options(sentinel.port(), &[], Some("thistle")),
                "set sentinel_password",
            ),
            (wrong, "right user and password in the url"),
        ] {
            let refused = Redis::open(options, Arc::new(SystemClock)).await;
            let error = refused.err().expect("it is refused").to_string();
            assert!(error.contains(said), "{error}");
            for password in [OF_PRIMARY, OF_SENTINELS, "thistle"] {
                assert!(!error.contains(password), "{error}");
            }
        }
    }
}

/// A sentinel with and without TLS, which reaches the primary at this port with TLS.
fn encrypted(primary: &RedisServer, watched: u16, certificate: &Certificate) -> (Process, u16) {
    let port = free_port();
    let of_tls = certificate.arguments();
    let pairs = of_tls.chunks(2).map(|pair| pair.join(" "));
    let settings = pairs.map(|setting| setting.replacen("--", "", 1) + "\n");
    let more = format!("tls-port {port}\ntls-replication yes\n");
    let more = settings.fold(more, |more, setting| more + &setting);
    (sentinel_of(primary, watched, &more), port)
}

#[tokio::test]
async fn sentinels_and_their_primary_are_both_reached_by_tls_or_neither_is() {
    let certificate = Certificate::make();
    let arguments = ["--requirepass", OF_PRIMARY];
    let primary = RedisServer::start_with_tls(RedisVersion::Redis7, &certificate, &arguments);
    let (with, with_tls) = encrypted(&primary, primary.tls_port(), &certificate);
    let (_without, without_tls) = encrypted(&primary, primary.process().port(), &certificate);
    let by_tls = |sentinel: u16| {
        let mut options = options(sentinel, &[], None);
        options.url = options.url.replace("redis://", "rediss://");
        options.ca_file = Some(certificate.file());
        options
    };
    let redis = open(by_tls(with_tls)).await;
    let task = submit(&redis, 1).await.expect("it is committed");
    assert_eq!(receive(&redis, Duration::from_secs(20)).await, [task]);
    for options in [by_tls(without_tls), options(with.port(), &[], None)] {
        let refused = Redis::open(options, Arc::new(SystemClock)).await;
        let error = refused.err().expect("it is refused").to_string();
        assert!(error.contains("rediss:// where the server"), "{error}");
        assert!(!error.contains(OF_PRIMARY), "{error}");
    }
}
