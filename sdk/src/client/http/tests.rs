use std::sync::Mutex;

use async_trait::async_trait;
use hyper::Response;
use russet_engine::SystemEntropy;
use serde_json::Value;

use super::*;

/// Servers that answer as they are told to, by their names.
#[derive(Clone)]
struct Scripted {
    answer: Arc<Answer>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What the named server says, when so many requests were sent before.
type Answer = dyn Fn(&str, usize) -> Told + Send + Sync;

/// What a server says; nothing at all when it hangs.
type Told = Option<Result<(u16, Value), TransportError>>;

impl Scripted {
    /// `answer` is told which server is asked, and how many were asked before.
    fn new(answer: impl Fn(&str, usize) -> Told + Send + Sync + 'static) -> Self {
        let (answer, asked) = (Arc::new(answer), Arc::default());
        Self { answer, asked }
    }

    async fn call(&self, servers: &str) -> Result<Value, Error> {
        self.call_with(servers, Call::get("/v1/queues")).await
    }

    async fn call_with(&self, servers: &str, call: Call) -> Result<Value, Error> {
        let (transport, entropy) = (Arc::new(self.clone()), Arc::new(SystemEntropy::new()));
        let http = Http::over(transport, servers, None, entropy, Arc::default())?;
        http.fetch(call).await
    }

    fn http(&self) -> Http {
        let (transport, entropy) = (Arc::new(self.clone()), Arc::new(SystemEntropy::new()));
        let http = Http::over(transport, "http://a", None, entropy, Arc::default());
        http.expect("is an address")
    }

    /// Sends so many items, and again what is refused for now.
    async fn submit_again(&self, items: usize) -> Vec<Result<Number, Error>> {
        let items = vec![crate::wire::SubmitTask::default(); items];
        let call = Call::post("/v1/tasks").safe();
        self.http().send_each_again(call, items).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let before = {
            let mut asked = self.asked.lock().expect("no panic");
            asked.push(host.clone());
            asked.len() - 1
        };
        let Some(told) = (self.answer)(&host, before) else {
            return std::future::pending().await;
        };
        let (status, body) = told?;
        let response = Response::builder().status(status);
        Ok(response.body(body.to_string().into()).expect("a response"))
    }
}

fn refused(code: &str, status: u16) -> Told {
    let problem = Problem::new(code, status, "so it is");
    Some(Ok((status, serde_json::to_value(problem).expect("JSON"))))
}

fn missing() -> Told {
    let why = "connection refused".to_owned();
    Some(Err(TransportError::NotSent { why }))
}

const FINE: Told = Some(Ok((200, Value::Bool(true))));

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_or_has_lost_its_store_is_left_for_the_next() {
    let answers: [fn(&str, usize) -> Told; 3] = [
        |host, _| match host {
            "a" => refused("stopping", 503),
            _ => FINE,
        },
        |host, _| match host {
            "a" => refused("unavailable", 503),
            _ => FINE,
        },
        |host, _| match host {
            "a" => Some(Ok((502, Value::Null))),
            _ => FINE,
        },
    ];
    for answer in answers {
        let servers = Scripted::new(answer);
        let start = Instant::now();
        let answered = servers.call("http://a,http://b").await;
        assert_eq!(answered.ok(), Some(Value::Bool(true)));
        assert_eq!(servers.asked(), ["a", "b"]);
        assert_eq!(start.elapsed(), Duration::ZERO, "without a pause");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_is_asked_again_after_a_pause() {
    let servers = Scripted::new(|_, _| refused("overloaded", 429));
    let start = Instant::now();
    let error = servers.call("http://a,http://b").await.expect_err("busy");
    assert!(error.is_temporary());
    assert_eq!(servers.asked(), ["a"; limits::REFUSED_TRIES as usize]);
    assert!(start.elapsed() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_said_is_told_when_the_last_one_asked_is_not_there() {
    let servers = Scripted::new(|host, _| match host {
        "a" => missing(),
        _ => refused("unavailable", 503),
    });
    for order in ["http://a,http://b", "http://b,http://a"] {
        let error = servers.call(order).await.expect_err("no store");
        let code = error.problem().map(|problem| problem.code.clone());
        assert_eq!(code.as_deref(), Some("unavailable"), "{order}: {error}");
    }
}

/// The first request has one item that is done and one that must wait, the next only that one.
#[tokio::test(start_paused = true)]
async fn an_item_that_is_refused_for_now_is_sent_again_alone() {
    let servers = Scripted::new(|_, before| {
        let busy = Problem::new("overloaded", 429, "busy").retry_after(100);
        let busy = serde_json::json!({ "error": busy });
        let done = |n: u64| serde_json::json!({ "n": n });
        let results = match before {
            0 => vec![done(0), busy],
            1 => vec![busy],
            _ => vec![done(2)],
        };
        Some(Ok((200, serde_json::json!({ "results": results }))))
    });
    let results: Result<Vec<_>, _> = servers.submit_again(2).await.into_iter().collect();
    assert_eq!(results.ok(), Some(vec![Number { n: 0 }, Number { n: 2 }]));
    assert_eq!(servers.asked().len(), 3);
}

/// What is done in place of a task.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Number {
    n: u64,
}

#[tokio::test(start_paused = true)]
async fn when_the_last_try_fails_the_servers_that_were_not_asked_are() {
    let servers = Scripted::new(|host, before| match (host, before) {
        ("a", ..4) => refused("overloaded", 429),
        ("a", _) => missing(),
        _ => FINE,
    });
    assert!(servers.call("http://a,http://b").await.is_ok());
    assert_eq!(servers.asked(), ["a", "a", "a", "a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_hang_do_not_use_up_the_time_of_those_that_answer() {
    let servers = Scripted::new(|host, _| match host {
        "c" => FINE,
        _ => None,
    });
    let waits = Call::get("/v1/queues").waiting(Duration::from_secs(30));
    let answered = servers.call_with("http://a,http://b,http://c", waits);
    assert!(answered.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn when_no_server_can_be_reached_each_was_asked_and_all_are_named() {
    let names: Vec<_> = (1..=9).map(|n| format!("http://s{n}")).collect();
    let servers = Scripted::new(|_, _| missing());
    let error = servers.call(&names.join(",")).await.expect_err("nobody");
    assert_eq!(servers.asked().len(), names.len());
    let named = match error {
        Error::Unreachable { server, .. } => server,
        other => panic!("{other}"),
    };
    assert_eq!(named, names.join(", "));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_one_server_may_have_carried_out_is_never_said_not_to_be_sent() {
    let servers = Scripted::new(|host, _| match host {
        "a" => lost(),
        _ => missing(),
    });
    let error = servers.call("http://a,http://b").await.expect_err("lost");
    assert!(!error.is_unchanged(), "{error}");
    assert!(servers.asked().contains(&"b".to_owned()));
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
    let servers = Scripted::new(|host, _| match host {
        "a" => missing(),
        _ => refused("unauthorized", 401),
    });
    let error = servers
        .call("http://a,http://b")
        .await
        .expect_err("refused");
    assert_eq!(error.to_string(), "http://b: so it is (unauthorized)");

    let servers = Scripted::new(|_, _| Some(Ok((404, Value::from("no such page")))));
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

fn lost() -> Told {
    let why = "closed".to_owned();
    Some(Err(TransportError::Lost { why }))
}

#[tokio::test(start_paused = true)]
async fn what_a_try_before_may_have_done_is_not_said_to_be_undone_by_a_later_refusal() {
    let for_now = |code, status| {
        let problem = Problem::new(code, status, "not now").retry_after(1);
        Some(Ok((status, serde_json::to_value(problem).expect("JSON"))))
    };
    let later = [
        (for_now("unavailable", 503), false),
        (for_now("overloaded", 429), false),
        (refused("store_full", 507), false),
        (refused("unauthorized", 401), false),
        (refused("stale_lease", 409), true),
    ];
    for (refusal, is_told) in later {
        let servers = Scripted::new(move |_, before| match before {
            0 => lost(),
            _ => refusal.clone(),
        });
        let call = Call::post("/v1/tasks").safe();
        let error = servers.call_with("http://a", call).await;
        let error = error.expect_err("it is refused");
        assert_eq!(error.problem().is_some(), is_told, "{error}");
        let said = error.to_string();
        assert!(is_told || said.contains("; tried again: "), "{said}");
    }
}

/// The results of a batch, as a server answers it.
fn results(items: &[Value]) -> Told {
    Some(Ok((200, serde_json::json!({ "results": items }))))
}

fn refusal(code: &str, status: u16, retry_after_ms: Option<u64>) -> Value {
    let mut problem = Problem::new(code, status, "not now");
    problem.retry_after_ms = retry_after_ms;
    serde_json::json!({ "error": problem })
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_batch_may_have_done_is_not_said_to_be_undone_by_its_items_refusals() {
    let done = serde_json::json!({ "n": 1 });
    for (code, status, retry_after, is_told) in [
        ("unavailable", 503, Some(1), false),
        ("overloaded", 429, Some(1), false),
        ("stopping", 503, Some(1), false),
        ("store_full", 507, None, false),
        ("idempotency_conflict", 409, None, true),
    ] {
        let items = [done.clone(), refusal(code, status, retry_after)];
        let again = items[1].clone();
        let servers = Scripted::new(move |_, before| match before {
            0 => lost(),
            1 => results(&items),
            _ => results(std::slice::from_ref(&again)),
        });
        let mut told = servers.submit_again(2).await;
        let error = told.remove(1).expect_err("it is refused");
        assert_eq!(error.is_unchanged(), is_told, "{code}: {error}");
        assert_eq!(told.remove(0).ok(), Some(Number { n: 1 }));
        // The doubt is of the request whose answer was lost, however often items go again.
        let tries = if retry_after.is_some() { 6 } else { 2 };
        assert_eq!(servers.asked().len(), tries, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_doubt_about_an_item_stays_when_its_next_request_is_not_carried_out() {
    let busy = refusal("overloaded", 429, Some(1));
    let servers = Scripted::new(move |_, before| match before {
        0 => lost(),
        1 => results(std::slice::from_ref(&busy)),
        _ => missing(),
    });
    let error = servers.submit_again(1).await.remove(0);
    let error = error.expect_err("nobody is there");
    assert!(!error.is_unchanged(), "{error}");
}
