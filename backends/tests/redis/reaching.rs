//! What keeps a server from being reached is named.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use russet_backends::redis::{RedisOpenError, RedisOptions};
use russet_servers::{Certificate, RedisServer, RedisVersion, free_port};

use super::open;
use super::opening::{ALL, refused, says, with_login};

#[tokio::test]
async fn an_unreachable_server_is_named() {
    let port = free_port();
    let url = format!("redis://me:sesame@127.0.0.1:{port}");
    let error = refused(RedisOptions::new(url)).await;
    assert!(
        matches!(error, RedisOpenError::Unreachable { .. }),
        "{error}"
    );
    says(&error, &[&format!("127.0.0.1:{port}"), "check the url"]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = RedisServer::start(RedisVersion::Redis7);
    server.process().signal("STOP");
    let mut options = RedisOptions::new(server.url());
    options.timeout = Duration::from_millis(200);
    let error = refused(options).await;
    assert!(
        matches!(error, RedisOpenError::Unreachable { .. }),
        "{error}"
    );
    says(&error, &["no answer within 200ms"]);
    server.process().signal("CONT");
}

#[tokio::test]
async fn a_wrong_login_is_refused_without_showing_it() {
    for version in ALL {
        let server = RedisServer::start_with(version, &["--requirepass", "right"]);
        for login in [":sesame", "me:sesame"] {
            let error = refused(RedisOptions::new(with_login(&server, login))).await;
            assert!(matches!(error, RedisOpenError::Login { .. }), "{error}");
            says(&error, &["password", "url"]);
        }
        let error = refused(RedisOptions::new(server.url())).await;
        assert!(matches!(error, RedisOpenError::Login { .. }), "{error}");
        open(RedisOptions::new(with_login(&server, ":right"))).await;
    }
}

#[tokio::test]
async fn a_server_that_is_no_redis_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = refused(RedisOptions::new(format!("redis://127.0.0.1:{port}"))).await;
    says(&error, &["does not answer as Redis does", "check the url"]);
}

#[tokio::test]
async fn connections_can_be_encrypted() {
    let certificate = Certificate::make();
    let server = RedisServer::start_with_tls(RedisVersion::Redis7, &certificate, &[]);
    let mut options = RedisOptions::new(server.tls_url());
    options.timeout = Duration::from_secs(2);
    let error = refused(options.clone()).await;
    says(&error, &["certificate"]);
    options.ca_file = Some(certificate.file());
    open(options.clone()).await;
    options.ca_file = Some(certificate.file().with_file_name("missing"));
    says(&refused(options.clone()).await, &["missing", "ca_file"]);
    options.ca_file = Some(certificate.key());
    says(&refused(options).await, &["ca_file"]);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let server = RedisServer::start(RedisVersion::Redis7);
    let error = refused(RedisOptions::new(format!("{}/99", server.url()))).await;
    assert!(matches!(error, RedisOpenError::Url { .. }), "{error}");
    says(&error, &["no database", "DB index is out of range"]);
}
