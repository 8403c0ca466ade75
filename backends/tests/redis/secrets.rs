//! Passwords appear in no error and in no log, whatever goes wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use russet_backends::redis::{Redis, RedisOptions, Topology, examine};
use russet_backends::secret::Secret;
use russet_engine::{Queue, SystemClock};
use russet_servers::{Process, RedisServer, RedisVersion};
use tracing::Level;

use super::log::Log;
use super::nodes::{FIRST, lane, submit};
use super::open;
use super::sentinel::sentinel_with;

const PASSWORD: &str = "sesame";
const WRONG: &str = "thistle";
const OF_SENTINELS: &str = "poppy";
/// How long a call may take here.
const CALL: Duration = Duration::from_millis(300);
/// How long what goes on beside the calls has to say something.
const A_WHILE: Duration = Duration::from_millis(800);
/// How long what is said may take to come.
const SOON: Duration = Duration::from_secs(20);

fn options(address: &str, password: &str) -> RedisOptions {
    let mut options = RedisOptions::new(format!("redis://me:{password}@{address}"));
    options.timeout = CALL;
    options
}

/// A server on which `me` has a password, and its address.
fn locked(arguments: &[&str]) -> (RedisServer, String) {
    let server = RedisServer::start_with(RedisVersion::Redis7, arguments);
    let line = format!("ACL SETUSER me on >{PASSWORD} ~* &* +@all");
    let answer = server.ask(&line).expect("it answers");
    assert!(answer.starts_with("+OK"), "{answer}");
    let address = format!("127.0.0.1:{}", server.process().port());
    (server, address)
}

/// What is said when the store is opened, and when it is only looked at.
async fn refusals(options: RedisOptions) -> String {
    let clock = Arc::new(SystemClock);
    let opened = Redis::open(options.clone(), clock.clone()).await;
    let opened = opened.err().expect("it is refused");
    let examined = examine(options, clock).await;
    let examined = examined.expect_err("it is refused");
    format!("{opened} {opened:?}\n{examined} {examined:?}\n")
}

/// Asks for all kinds of things, and collects what is said of each.
async fn calls(redis: &Redis, n: u64) -> String {
    let submitted = submit(redis, n).await;
    let received = redis.receive(&[lane()], 1, CALL, Duration::ZERO).await;
    let confirmed = russet_engine::Store::confirm(redis, FIRST, Default::default()).await;
    let depth = redis.depth(&lane()).await;
    let texts = [
        submitted.map_err(|e| format!("{e} {e:?}")).err(),
        received.map_err(|e| format!("{e} {e:?}")).err(),
        confirmed.map_err(|e| format!("{e} {e:?}")).err(),
        depth.map_err(|e| format!("{e} {e:?}")).err(),
    ];
    texts
        .into_iter()
        .flatten()
        .map(|text| text + "\n")
        .collect()
}

/// A server that works, changes its passwords, hangs and dies.
async fn of_a_server_that_fails() -> String {
    let (mut server, address) = locked(&[]);
    let mut said = refusals(options(&address, WRONG)).await;
    let good = options(&address, PASSWORD);
    said += &format!("{good:?}\n");
    let redis = open(good).await;
    submit(&redis, 1).await.expect("it is committed");
    for line in [
        format!("ACL SETUSER me resetpass >{WRONG}"),
        "CLIENT KILL USER me".to_owned(),
    ] {
        server.ask(&line).expect("it answers");
    }
    tokio::time::sleep(A_WHILE).await;
    said += &calls(&redis, 2).await;
    let back = format!("ACL SETUSER me resetpass >{PASSWORD}");
    server.ask(&back).expect("it answers");
    let again = async {
        while submit(&redis, 3).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let again = tokio::time::timeout(SOON, again).await;
    again.expect("it works again");
    server.process().signal("STOP");
    said += &calls(&redis, 4).await;
    server.process_mut().kill();
    said += &calls(&redis, 5).await;
    tokio::time::sleep(A_WHILE).await;
    said + &refusals(options(&address, PASSWORD)).await
}

/// Servers repeat a command that they do not know, and its arguments.
async fn of_servers_that_do_not_know_what_they_are_told() -> String {
    let mut said = String::new();
    for command in ["HELLO", "AUTH"] {
        let (_server, address) = locked(&["--rename-command", command, "NOTHING"]);
        said += &refusals(options(&address, PASSWORD)).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || repeat(stream));
        }
    });
    said + &refusals(options(&address, PASSWORD)).await
}

/// Says everything again, as an error.
fn repeat(mut stream: std::net::TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut bytes) {
        let heard = String::from_utf8_lossy(&bytes[..read]).replace("\r\n", " ");
        let answer = format!("-ERR what is {heard}?\r\n");
        if stream.write_all(answer.as_bytes()).is_err() {
            break;
        }
    }
}

/// Sentinels that are told a wrong password, and that do not know theirs any more.
async fn of_sentinels() -> String {
    let (primary, _) = locked(&[]);
    let settings = format!("requirepass {OF_SENTINELS}\n");
    let sentinel: Process = sentinel_with(&primary, &settings);
    let address = format!("127.0.0.1:{}", sentinel.port());
    let with = |password: &str, of_sentinels: &str| {
        let mut options = options(&address, password);
        options.timeout = Duration::from_secs(2);
        options.topology = Topology::Sentinel {
            master: "main".to_owned(),
            others: Vec::new(),
            password: Some(Secret(of_sentinels.to_owned())),
        };
        options
    };
    let mut said = format!("{:?}\n", with(PASSWORD, OF_SENTINELS));
    said += &refusals(with(PASSWORD, WRONG)).await;
    said += &refusals(with(WRONG, OF_SENTINELS)).await;
    let redis = open(with(PASSWORD, OF_SENTINELS)).await;
    drop((primary, sentinel));
    said += &calls(&redis, 1).await;
    tokio::time::sleep(A_WHILE).await;
    said
}

#[tokio::test]
async fn passwords_are_in_no_error_no_debug_text_and_no_log() {
    let (log, guard) = Log::of(Level::TRACE);
    let said = [
        of_a_server_that_fails().await,
        of_servers_that_do_not_know_what_they_are_told().await,
        of_sentinels().await,
    ]
    .concat();
    drop(guard);
    let log = log.text();
    for words in ["arrivals are not heard", "connection to Redis could not be"] {
        assert!(log.contains(words), "{words:?} is not in the log: {log}");
    }
    for words in ["no answer within", "password", "sentinel 127.0.0.1"] {
        assert!(said.contains(words), "{words:?} was not said: {said}");
    }
    for text in [said, log] {
        for password in [PASSWORD, WRONG, OF_SENTINELS] {
            let around = text.lines().find(|line| line.contains(password));
            assert_eq!(around, None, "{password} was said");
        }
    }
}
