use std::sync::Mutex;

use async_trait::async_trait;
use hyper::Response;
use russet_engine::SystemEntropy;
use serde_json::Value;

use super::*;

/// Servers that answer as they are told to, by their names.
#[derive(Clone, Default)]
struct Scripted {
    answer: Option<fn(&str) -> Result<(u16, Value), TransportError>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(answer: fn(&str) -> Result<(u16, Value), TransportError>) -> Self {
        Self {
            answer: Some(answer),
            ..Self::default()
        }
    }

    async fn call(&self, servers: &str) -> Result<Value, Error> {
        let (transport, entropy) = (Arc::new(self.clone()), Arc::new(SystemEntropy::new()));
        let http = Http::over(transport, servers, None, entropy, Arc::default())?;
        http.fetch(Call::get("/v1/queues")).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        self.asked.lock().expect("no panic").push(host.clone());
        let (status, body) = (self.answer.expect("told to"))(&host)?;
        let response = Response::builder().status(status);
        Ok(response.body(body.to_string().into()).expect("a response"))
    }
}

fn refused(code: &str, status: u16) -> Result<(u16, Value), TransportError> {
    let problem = Problem::new(code, status, "so it is");
    Ok((status, serde_json::to_value(problem).expect("JSON")))
}

fn missing() -> Result<(u16, Value), TransportError> {
    let why = "connection refused".to_owned();
    Err(TransportError::NotSent { why })
}

const FINE: Result<(u16, Value), TransportError> = Ok((200, Value::Bool(true)));

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_or_has_lost_its_store_is_left_for_the_next() {
    for answer in [
        |host: &str| match host {
            "a" => refused("stopping", 503),
            _ => FINE,
        },
        |host: &str| match host {
            "a" => refused("unavailable", 503),
            _ => FINE,
        },
        |host: &str| match host {
            "a" => Ok((502, Value::Null)),
            _ => FINE,
        },
    ] {
        let servers = Scripted::new(answer);
        let start = Instant::now();
        assert_eq!(
            servers.call("http://a,http://b").await.ok(),
            Some(Value::Bool(true))
        );
        assert_eq!(servers.asked(), ["a", "b"]);
        assert_eq!(start.elapsed(), Duration::ZERO, "without a pause");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_is_asked_again_after_a_pause() {
    let servers = Scripted::new(|_| refused("overloaded", 429));
    let start = Instant::now();
    let error = servers.call("http://a,http://b").await.expect_err("busy");
    assert!(error.is_temporary());
    assert_eq!(servers.asked(), ["a"; limits::CALL_TRIES as usize]);
    assert!(start.elapsed() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn when_no_server_can_be_reached_each_was_asked_and_all_are_named() {
    let names: Vec<_> = (1..=9).map(|n| format!("http://s{n}")).collect();
    let servers = Scripted::new(|_| missing());
    let error = servers.call(&names.join(",")).await.expect_err("nobody");
    assert_eq!(servers.asked().len(), names.len());
    let named = match error {
        Error::Unreachable { server, .. } => server,
        other => panic!("{other}"),
    };
    assert_eq!(named, names.join(", "));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_long_to_fail_is_not_tried_beyond_its_budget() {
    struct Slow;
    #[async_trait]
    impl Transport for Slow {
        async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
            sleep(Duration::from_secs(6)).await;
            let why = "closed".to_owned();
            Err(TransportError::Lost { why })
        }
    }
    let entropy = Arc::new(SystemEntropy::new());
    let http = Http::over(Arc::new(Slow), "http://a", None, entropy, Arc::default());
    let http = http.expect("an address");
    let start = Instant::now();
    let call = Call::get("/v1/queues");
    let failed = http.fetch::<Value>(call.clone()).await;
    assert!(failed.is_err());
    let most = limits::CALL_BUDGET + Duration::from_secs(6) + limits::CALL_BACKOFF_MAX;
    assert!(start.elapsed() < most, "{:?}", start.elapsed());

    let (start, wait) = (Instant::now(), Duration::from_secs(60));
    assert!(http.fetch::<Value>(call.waiting(wait)).await.is_err());
    assert!(
        start.elapsed() >= 5 * Duration::from_secs(6),
        "a wait is not counted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_token_or_a_server_of_another_kind_is_named() {
    let servers = Scripted::new(|host| match host {
        "a" => missing(),
        _ => refused("unauthorized", 401),
    });
    let error = servers
        .call("http://a,http://b")
        .await
        .expect_err("refused");
    assert_eq!(error.to_string(), "http://b: so it is (unauthorized)");

    let servers = Scripted::new(|_| Ok((404, Value::from("no such page"))));
    let error = servers.call("http://a").await.expect_err("refused");
    assert!(
        error.to_string().starts_with("http://a answered 404"),
        "{error}"
    );
    assert!(
        error.to_string().contains("is it a Russet server?"),
        "{error}"
    );
}

#[test]
fn the_answer_of_a_proxy_becomes_a_problem() {
    let answer = strange("http://a", StatusCode::BAD_GATEWAY, b"<html>");
    assert_eq!(answer.status, 502);
    assert!(Error::from(answer).is_temporary());
}
