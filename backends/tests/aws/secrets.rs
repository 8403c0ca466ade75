//! Credentials appear nowhere.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use russet_backends::aws::{AwsOptions, Credentials, QUIET, SharedCredentialsProvider};
use russet_backends::dynamodb::Dynamo;
use russet_backends::sqs::Sqs;
use russet_engine::{Queue, Store, SystemClock};
use russet_servers::{ACCESS_KEY, Ministack};
use serde_json::json;

use crate::servers::{PARTITION, SECRET, aws, create, lane, message, queues, table, task};
use crate::stub::{Reply, Stub};

const TOKEN: &str = "FwoGZXIvYXdzEXAMPLESESSIONTOKEN";

/// Everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// As a service does that did not get the signature it expected.
const MISMATCH: Reply = Reply::Answer(400, |_| {
    json!({
        "__type": "com.amazon.coral.service#InvalidSignatureException",
        "message": format!("The Canonical String should have been\nx-amz-security-token:{TOKEN}"),
    })
});
const EXPIRED: Reply = Reply::Answer(400, |_| {
    json!({
        "__type": "com.amazon.coral.service#ExpiredTokenException",
        "message": format!("The token expired\n{TOKEN}"),
    })
});

fn with_token(mut options: AwsOptions, stub: &Stub) -> AwsOptions {
    let token = Some(TOKEN.to_owned());
    let credentials = Credentials::new(ACCESS_KEY, SECRET, token, None, "test");
    options.seams.credentials = Some(SharedCredentialsProvider::new(credentials));
    options.seams.http_client = Some(stub.client());
    options
}

/// Works, fails, and collects everything that is said meanwhile.
async fn everything_said(url: &str) -> String {
    let (stub, clock) = (Stub::new(), Arc::new(SystemClock));
    let mut said = String::new();
    let mut options = table(url, "russet", 1);
    options.aws = with_token(aws(url), &stub);
    let mut queue_options = queues(url, "test");
    queue_options.aws = options.aws.clone();
    said += &format!("{options:?} {queue_options:?}\n");
    // What was lost is asked for once more.
    for (reply, times) in [(MISMATCH, 1), (EXPIRED, 1), (Reply::Reset, 2)] {
        stub.on("DescribeTable", times, reply.clone());
        let error = Dynamo::open(options.clone(), clock.clone()).await;
        let error = error.expect_err("it is refused");
        said += &format!("{error} {error:?}\n");
        stub.on("ListQueues", times, reply);
        let error = Sqs::open(queue_options.clone(), clock.clone()).await;
        let error = error.expect_err("it is refused");
        said += &format!("{error} {error:?}\n");
    }
    let made = Dynamo::create_table(&options, clock.clone()).await;
    made.expect("the table is made");
    let store = Dynamo::open(options, clock.clone())
        .await
        .expect("it opens");
    let queue = Sqs::open(queue_options, clock).await.expect("it opens");
    said += &format!("{store:?} {queue:?}\n");
    let transaction = |number| russet_engine::Transaction {
        epoch: russet_core::Epoch::default(),
        version: russet_engine::Version(number),
        changes: vec![create(&task(number))],
    };
    let committed = store.commit(PARTITION, vec![transaction(1)]).await;
    committed.expect("it is committed");
    let messages = || vec![message(1, &lane("emails"))];
    queue.send(messages()).await.expect("it is sent");
    for reply in [MISMATCH, EXPIRED, Reply::Reset] {
        stub.on("PutItem", 1, reply.clone());
        let error = store.commit(PARTITION, vec![transaction(2)]).await;
        said += &format!("{error:?}\n");
        stub.on("SendMessageBatch", 3, reply);
        said += &format!("{:?}\n", queue.send(messages()).await);
    }
    said
}

#[tokio::test]
async fn credentials_are_in_no_error_no_debug_text_and_no_log() {
    let server = Ministack::start();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(format!("trace,{QUIET}"))
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let said = everything_said(&server.url()).await;
    drop(guard);
    for text in [said, log.text()] {
        assert!(text.contains("russet"), "something was said");
        for secret in [SECRET, TOKEN] {
            let at = text.find(secret);
            let around = at.map(|at| text[at.saturating_sub(300)..at].to_owned());
            assert_eq!(around, None, "{secret} was said");
        }
    }
}
