use std::time::{Duration, Instant};

use serde_json::json;

use crate::site::{Site, held};

#[tokio::test]
async fn a_task_is_submitted_and_looked_at() {
    let site = Site::parted().await;
    let answer = site
        .post("/v1/tasks", r#"{"type": "mail", "payload": {"to": "me"}}"#)
        .await;
    assert_eq!(answer.status, 201);
    let id = answer.json()["task"].as_str().expect("an id").to_owned();
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(task["type"], "mail");
    assert_eq!(task["queue"], "default");
    assert_eq!(task["status"], "queued");
    assert_eq!(task["payload"], json!({"to": "me"}));
}

#[tokio::test]
async fn a_submission_that_is_repeated_names_the_same_task() {
    let site = Site::parted().await;
    let body = r#"{"type": "mail", "idempotency_key": "order-1"}"#;
    let first = site.submit(body).await;
    let again = site.post("/v1/tasks", body).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json(), json!({"task": first, "existing": true}));
    let other = site
        .post(
            "/v1/tasks",
            r#"{"type": "sms", "idempotency_key": "order-1"}"#,
        )
        .await;
    assert_eq!(
        (other.status, &other.json()["code"]),
        (409, &json!("idempotency_conflict"))
    );
}

#[tokio::test]
async fn a_batch_says_of_each_item_what_became_of_it() {
    let site = Site::parted().await;
    let body = r#"{"tasks": [{"type": "a"}, {"type": "a", "priority": 12}, {"type": "b"},
        {"type": "a", "priority": -1}, {"type": "a", "retry": {"jitter": "much"}},
        {"type": "a", "colour": 1}, {}, "a"]}"#;
    let results = site.post("/v1/tasks", body).await.good();
    let results = results["results"].as_array().expect("results").clone();
    assert!(results[0]["task"].is_string() && results[2]["task"].is_string());
    assert_eq!(results[1]["error"]["limit"], "at most 9");
    let fields: Vec<_> = [1, 3, 4, 5, 6]
        .map(|at| results[at]["error"]["field"].clone())
        .to_vec();
    let expected = ["priority", "priority", "retry.jitter", "colour", "type"];
    assert_eq!(fields, expected);
    let not_an_object = &results[7]["error"]["detail"];
    assert!(
        not_an_object.to_string().contains("an object"),
        "{not_an_object}"
    );
    let list = site.get("/v1/tasks").await.good();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn tasks_are_listed_by_page_and_filter() {
    let site = Site::parted().await;
    for n in 0..5 {
        let queue = if n == 4 { "rare" } else { "often" };
        // The order is that of the ids: those drawn in one millisecond have none.
        let id = format!("0000000000000000000000000{n}");
        let body = format!(r#"{{"id": "{id}", "type": "t{n}", "queue": "{queue}"}}"#);
        site.submit(&body).await;
    }
    let page = site.get("/v1/tasks?queue=often&limit=3").await.good();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(3));
    let next = page["next"].as_str().expect("another page");
    let rest = site
        .get(&format!("/v1/tasks?queue=often&limit=3&after={next}"))
        .await
        .good();
    assert_eq!(rest["items"].as_array().map(Vec::len), Some(1));
    assert!(rest["next"].is_null());
    let newest = site
        .get("/v1/tasks?order=newest&limit=1&status=queued")
        .await
        .good();
    assert_eq!(newest["items"][0]["type"], "t4");
}

#[tokio::test]
async fn waiting_for_a_task_ends_when_the_task_ends() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let task = site.lease().await;
    let start = Instant::now();
    let path = format!("/v1/tasks/{id}/wait?timeout_ms=30000");
    let body = format!(r#"{{{}, "result": [1, 2]}}"#, held(&task));
    let (waited, completed) =
        tokio::join!(site.get(&path), site.post("/v1/leases/complete", &body));
    assert_eq!(completed.good()["status"], "succeeded");
    let ended = waited.good();
    assert_eq!(
        (&ended["status"], &ended["result"]),
        (&json!("succeeded"), &json!([1, 2]))
    );
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn waiting_in_vain_returns_the_task_as_it_is() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let task = site
        .get(&format!("/v1/tasks/{id}/wait?timeout_ms=20"))
        .await
        .good();
    assert_eq!(task["status"], "queued");
}

#[tokio::test]
async fn a_task_is_cancelled_with_or_without_a_reason() {
    let site = Site::parted().await;
    let (one, other) = (
        site.submit(r#"{"type": "a"}"#).await,
        site.submit(r#"{"type": "a"}"#).await,
    );
    let path = format!("/v1/tasks/{one}/cancel");
    assert_eq!(site.post(&path, "").await.good()["status"], "cancelled");
    let path = format!("/v1/tasks/{other}/cancel");
    assert_eq!(
        site.post(&path, r#"{"reason": "not needed"}"#).await.good()["status"],
        "cancelled"
    );
    let task = site.get(&format!("/v1/tasks/{other}")).await.good();
    assert_eq!(task["last_error"]["message"], "not needed");
}

#[tokio::test]
async fn the_holder_of_a_cancelled_task_learns_of_it_with_its_heartbeat() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let task = site.lease().await;
    let now = site
        .post(&format!("/v1/tasks/{id}/cancel"), "")
        .await
        .good();
    assert_eq!(
        (&now["status"], &now["cancel_requested"]),
        (&json!("running"), &json!(true))
    );
    let extended = site
        .post("/v1/leases/extend", &format!("{{{}}}", held(&task)))
        .await
        .good();
    assert_eq!(extended["cancel_requested"], true);
}

pub async fn dead_task(site: &Site) -> String {
    let id = site.submit(r#"{"type": "a", "max_retries": 0}"#).await;
    kill(site).await;
    id
}

/// Leases a task that has no retries, and fails.
async fn kill(site: &Site) {
    let task = site.lease().await;
    let body = format!(r#"{{{}, "message": "no way"}}"#, held(&task));
    assert_eq!(
        site.post("/v1/leases/fail", &body).await.good()["status"],
        "dead"
    );
}

#[tokio::test]
async fn a_dead_task_is_redriven_alone_or_with_all_others() {
    let site = Site::parted().await;
    let id = dead_task(&site).await;
    let now = site
        .post(&format!("/v1/tasks/{id}/redrive"), "")
        .await
        .good();
    assert_eq!(now["status"], "queued");
    let task = site.lease().await;
    site.post("/v1/leases/complete", &format!("{{{}}}", held(&task)))
        .await
        .good();
    dead_task(&site).await;
    dead_task(&site).await;
    let other = site
        .post("/v1/tasks/redrive", r#"{"queue": "other"}"#)
        .await
        .good();
    assert_eq!(other["redriven"], 0);
    let all = site.post("/v1/tasks/redrive", r#"{"all": true}"#);
    let all = all.await.good();
    assert_eq!((&all["redriven"], &all["next"]), (&json!(2), &json!(null)));
}

#[tokio::test]
async fn a_redrive_that_does_not_say_of_what_is_refused_with_what_to_send() {
    let site = Site::start().await;
    let id = dead_task(&site).await;
    for body in ["", "{}", r#"{"all": false}"#, r#"{"limit": 1}"#] {
        let answer = site.post("/v1/tasks/redrive", body).await;
        assert_eq!(answer.status, 422, "{body}");
        let problem = answer.json();
        assert_eq!(problem["field"], "all", "{body}");
        let detail = problem["detail"].to_string();
        assert!(
            detail.contains("queue") && detail.contains("true"),
            "{detail}"
        );
    }
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(task["status"], "dead");
}

#[tokio::test]
async fn a_redrive_that_is_sent_again_redrives_nothing_twice() {
    let site = Site::parted().await;
    let id = dead_task(&site).await;
    let one = format!("/v1/tasks/{id}/redrive");
    for (path, first, second) in [
        (
            one.as_str(),
            r#"{"request_id": "one"}"#,
            r#"{"request_id": "two"}"#,
        ),
        (
            "/v1/tasks/redrive",
            r#"{"all": true, "request_id": "all"}"#,
            r#"{"all": true, "request_id": "rest"}"#,
        ),
    ] {
        site.post(path, first).await.good();
        kill(&site).await;
        site.post(path, first).await.good();
        let task = site.get(&format!("/v1/tasks/{id}")).await.good();
        assert_eq!(task["status"], "dead", "{path}");
        site.post(path, second).await.good();
        kill(&site).await;
    }
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(task["attempt"], 5);
    let long = format!(r#"{{"request_id": "{}"}}"#, "x".repeat(257));
    let refused = site.post(&one, &long).await;
    assert_eq!(
        (refused.status, &refused.json()["field"]),
        (422, &json!("request_id"))
    );
}

#[tokio::test]
async fn an_ended_task_is_purged_and_a_live_one_is_not() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let live = site.post(&format!("/v1/tasks/{id}/purge"), "").await;
    assert_eq!(
        (live.status, &live.json()["code"]),
        (409, &json!("wrong_status"))
    );
    site.post(&format!("/v1/tasks/{id}/cancel"), "")
        .await
        .good();
    site.post(&format!("/v1/tasks/{id}/purge"), "").await.good();
    assert_eq!(site.get(&format!("/v1/tasks/{id}")).await.status, 404);
}

#[tokio::test]
async fn only_the_path_that_says_so_purges_a_task() {
    let site = Site::parted().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let cancel = format!("/v1/tasks/{id}/cancel");
    site.post(&cancel, "").await.good();
    let posted = site.post(&format!("/v1/tasks/{id}"), "").await;
    assert_eq!(posted.status, 405);
    let got = site.get(&format!("/v1/tasks/{id}/purge")).await;
    assert_eq!(got.status, 405);
    assert_eq!(site.get(&format!("/v1/tasks/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_task_that_no_live_worker_can_run_is_accepted_with_a_warning() {
    let site = Site::parted().await;
    let body = r#"{"type": "train", "resource_requirements": {"gpu": 8}}"#;
    let accepted = site.post("/v1/tasks", body).await.good();
    let warning = accepted["warnings"][0].as_str().expect("a warning");
    assert!(
        warning.starts_with("no live worker of queue default has gpu=8:"),
        "{warning}"
    );
    let lease = r#"{"queues": ["default"], "worker": "big", "capacity": {"gpu": 8}}"#;
    assert_eq!(
        site.post("/v1/leases", lease).await.good()["tasks"][0]["type"],
        "train"
    );
    let accepted = site.post("/v1/tasks", body).await.good();
    assert!(accepted.get("warnings").is_none(), "{accepted}");
}
