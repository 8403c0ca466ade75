//! Bad input: every refusal is a problem that names what is wrong.

use serde_json::{Value, json};

use crate::site::{Answer, Site};

/// The problem of a request that must be refused with `status`.
async fn refused(site: &Site, method: &str, path: &str, body: &str, status: u16) -> Value {
    let answer = site.send(method, path, Some(body)).await;
    assert_eq!(
        answer.status,
        status,
        "{method} {path} {body}: {}",
        answer.text()
    );
    let kind = answer.headers.get("content-type").expect("a type");
    assert_eq!(kind, "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    problem
}

#[tokio::test]
async fn a_field_with_a_wrong_type_is_named() {
    let site = Site::start().await;
    let problem = refused(
        &site,
        "POST",
        "/v1/tasks",
        r#"{"type": "a", "priority": "high"}"#,
        422,
    )
    .await;
    assert_eq!(
        (&problem["field"], &problem["code"]),
        (&json!("priority"), &json!("invalid"))
    );
    let body = r#"{"tasks": [{"type": "a"}, {"type": 3}]}"#;
    let problem = refused(&site, "POST", "/v1/workflows", body, 422).await;
    assert_eq!(problem["field"], "tasks[1].type");
}

#[tokio::test]
async fn an_unknown_field_is_named_beside_the_known_ones() {
    let site = Site::start().await;
    let problem = refused(
        &site,
        "POST",
        "/v1/tasks",
        r#"{"type": "a", "prio": 3}"#,
        422,
    )
    .await;
    let detail = problem["detail"].as_str().expect("a text");
    assert!(
        detail.contains("prio") && detail.contains("priority"),
        "{detail}"
    );
    let problem = refused(&site, "PATCH", "/v1/queues/q", r#"{"pause": true}"#, 422).await;
    assert!(
        problem["detail"].to_string().contains("paused"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let site = Site::start().await;
    let problem = refused(&site, "POST", "/v1/tasks", r#"{"queue": "q"}"#, 422).await;
    assert!(problem["detail"].to_string().contains("type"), "{problem}");
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_with_the_place() {
    let site = Site::start().await;
    for body in [
        r#"{"type": "a""#,
        "not json",
        r#"{"type": "a"} trailing"#,
        r#"{"payload": [1,"#,
        "",
    ] {
        let problem = refused(&site, "POST", "/v1/tasks", body, 400).await;
        assert_eq!(problem["code"], "malformed", "{body}");
    }
    let problem = refused(&site, "POST", "/v1/tasks", "{\"type\": \"a\",\n x}", 400).await;
    assert!(
        problem["detail"].to_string().contains("line 2"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_value_beyond_a_limit_is_refused_with_the_limit() {
    let site = Site::start().await;
    let problem = refused(
        &site,
        "POST",
        "/v1/tasks",
        r#"{"type": "a", "priority": 12}"#,
        422,
    )
    .await;
    assert_eq!(problem["detail"], "priority: 12 is too much (at most 9)");
    assert_eq!(
        (&problem["field"], &problem["limit"]),
        (&json!("priority"), &json!("at most 9"))
    );
    let problem = refused(&site, "POST", "/v1/tasks", r#"{"type": "a b"}"#, 422).await;
    assert_eq!(problem["field"], "type");
    let large = format!(
        r#"{{"type": "a", "payload": "{}"}}"#,
        "x".repeat(1024 * 1024)
    );
    let problem = refused(&site, "POST", "/v1/tasks", &large, 422).await;
    assert_eq!(problem["field"], "payload");
    assert!(
        problem["limit"].to_string().contains("1048576 bytes"),
        "{problem}"
    );
    let many = vec![r#"{"type": "a"}"#; 1001].join(",");
    let problem = refused(
        &site,
        "POST",
        "/v1/tasks",
        &format!(r#"{{"tasks": [{many}]}}"#),
        422,
    )
    .await;
    assert_eq!(
        (&problem["field"], &problem["limit"]),
        (&json!("tasks"), &json!("1 to 1000 items"))
    );
    let problem = refused(&site, "PATCH", "/v1/queues/q", r#"{"concurrency": 0}"#, 422).await;
    assert_eq!(problem["field"], "concurrency");
    let parent = site.submit(r#"{"type": "a"}"#).await;
    let many = vec![format!("{parent:?}"); 10_001].join(",");
    let many = format!(r#"{{"type": "a", "dependencies": [{many}]}}"#);
    let problem = refused(&site, "POST", "/v1/tasks", &many, 422).await;
    assert_eq!(
        (&problem["field"], &problem["limit"]),
        (&json!("dependencies"), &json!("at most 10000"))
    );
}

#[tokio::test]
async fn a_query_that_cannot_be_is_refused_with_its_field() {
    let site = Site::start().await;
    for (query, field) in [
        ("limit=many", "limit"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("status=asleep", "status"),
        ("order=random", "order"),
        ("after=here", "after"),
        ("queue=a%20b", "queue"),
        ("workflow_id=1", "workflow_id"),
    ] {
        let problem = refused(&site, "GET", &format!("/v1/tasks?{query}"), "", 422).await;
        assert_eq!(problem["field"], field, "{problem}");
    }
    let problem = refused(&site, "GET", "/v1/tasks?state=dead", "", 422).await;
    assert!(
        problem["detail"].to_string().contains("status"),
        "{problem}"
    );
    let problem = refused(&site, "GET", "/v1/events?task=1", "", 422).await;
    assert_eq!(problem["field"], "task");
    let id = "00000000000000000000000000";
    let path = format!("/v1/tasks/{id}/wait?timeout_ms=99999999");
    let problem = refused(&site, "GET", &path, "", 422).await;
    assert_eq!(problem["field"], "timeout_ms");
}

#[tokio::test]
async fn a_path_that_cannot_be_is_refused_with_its_field() {
    let site = Site::start().await;
    let problem = refused(&site, "GET", "/v1/tasks/17", "", 422).await;
    assert_eq!(problem["field"], "id");
    let problem = refused(&site, "GET", "/v1/queues/a%20b", "", 422).await;
    assert_eq!(problem["field"], "name");
    refused(&site, "GET", "/v1/queues/%ff", "", 400).await;
}

#[tokio::test]
async fn a_lease_request_that_cannot_be_is_refused_with_its_field() {
    let site = Site::start().await;
    for (body, field) in [
        (r#"{"queues": [], "worker": "w"}"#, "queues"),
        (r#"{"queues": ["a b"], "worker": "w"}"#, "queues"),
        (r#"{"queues": ["q"], "worker": "w", "max": 0}"#, "max"),
        (
            r#"{"queues": ["q"], "worker": "w", "wait_ms": 70000}"#,
            "wait_ms",
        ),
        (
            r#"{"queues": ["q"], "worker": "w", "capacity": {"a b": 1}}"#,
            "capacity",
        ),
    ] {
        let problem = refused(&site, "POST", "/v1/leases", body, 422).await;
        assert_eq!(problem["field"], field, "{problem}");
    }
}

#[tokio::test]
async fn unknown_tasks_and_routes_and_methods_are_told_apart() {
    let site = Site::start().await;
    let id = "00000000000000000000000000";
    let problem = refused(&site, "GET", &format!("/v1/tasks/{id}"), "", 404).await;
    assert_eq!(
        (&problem["code"], &problem["task"]),
        (&json!("not_found"), &json!(id))
    );
    let problem = refused(&site, "GET", "/v1/task", "", 404).await;
    assert_eq!(problem["code"], "no_route");
    let answer = site.send("DELETE", "/v1/tasks", None).await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (405, &json!("method_not_allowed"))
    );
    let allowed = answer.headers.get("allow").expect("what is allowed");
    assert!(
        allowed.to_str().expect("text").contains("POST"),
        "{allowed:?}"
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_sent() {
    let site = Site::start().await;
    let length = "content-length: 999999999";
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: {}\r\n{length}\r\n\r\n",
        site.address
    );
    let answer = exchange(site.address, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains(r#""limit":"at most 67108864 bytes""#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_in_pieces_is_put_together() {
    let site = Site::start().await;
    let payload = "x".repeat(700_000);
    let body = format!(r#"{{"type": "a", "payload": "{payload}"}}"#);
    let (first, rest) = body.split_at(300_000);
    let mut request = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        site.address
    );
    for piece in [first, rest] {
        request.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    let answer = exchange(site.address, &format!("{request}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let listed = site.get("/v1/tasks").await.good();
    assert_eq!(listed["items"][0]["payload"], payload);
}

#[tokio::test]
async fn more_large_bodies_than_there_is_room_for_are_refused_until_there_is_room() {
    use tokio::io::AsyncWriteExt;
    let site = Site::start().await;
    let head = "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-length: 67108864\r\n\r\n{";
    let mut begun = Vec::new();
    for _ in 0..8 {
        let stream = tokio::net::TcpStream::connect(site.address).await;
        let mut stream = stream.expect("connects");
        stream.write_all(head.as_bytes()).await.expect("is sent");
        begun.push(stream);
    }
    let large = format!(r#"{{"type": "a", "payload": "{}"}}"#, "x".repeat(100_000));
    let refused = until(&site, &large, 429).await;
    assert_eq!(refused.json()["code"], "overloaded");
    assert!(refused.json()["retry_after_ms"].is_u64());
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(site.post("/v1/tasks", r#"{"type": "a"}"#).await.status, 201);
    drop(begun);
    until(&site, &large, 201).await;
}

/// Submits until the answer has this status, which others that come and go may delay.
async fn until(site: &Site, body: &str, status: u16) -> Answer {
    loop {
        let answer = site.post("/v1/tasks", body).await;
        if answer.status == status {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Sends bytes and reads until the server closes, or has sent a whole problem.
async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("connects");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    let mut answer = Vec::new();
    while !answer.trim_ascii_end().ends_with(b"}") {
        if stream.read_buf(&mut answer).await.expect("is read") == 0 {
            break;
        }
    }
    String::from_utf8(answer).expect("text")
}
