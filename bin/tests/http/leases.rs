use std::time::{Duration, Instant};

use russet::wire::Time;
use russet_core::limits::INLINE_DEPENDENCIES;
use russet_engine::{Clock, SystemClock};
use serde_json::json;

use crate::held::What;
use crate::site::{Site, held};

#[tokio::test]
async fn a_leased_task_is_extended_and_completed() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a", "payload": 7}"#).await;
    let task = site.lease().await;
    assert_eq!(
        (&task["id"], &task["payload"], &task["attempt"]),
        (&json!(id), &json!(7), &json!(1))
    );
    let body = format!(
        r#"{{{}, "progress": {{"percent": 50, "checkpoint": {{"row": 9}}}}}}"#,
        held(&task)
    );
    let extended = site.post("/v1/leases/extend", &body).await.good();
    assert_eq!(extended["cancel_requested"], false);
    let body = format!(
        r#"{{{}, "result": {{"ok": true}}, "progress": {{"percent": 100}}}}"#,
        held(&task)
    );
    assert_eq!(
        site.post("/v1/leases/complete", &body).await.good()["status"],
        "succeeded"
    );
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(task["result"], json!({"ok": true}));
    assert_eq!(task["progress"]["checkpoint"], json!({"row": 9}));
    assert_eq!(task["progress"]["percent"], 100);
}

#[tokio::test]
async fn a_completion_is_done_again_with_the_same_result_and_refused_with_another() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let held = held(&site.lease().await);
    for _ in 0..2 {
        let body = format!(r#"{{{held}, "result": {{"n": 1}}}}"#);
        let now = site.post("/v1/leases/complete", &body).await.good();
        assert_eq!(now["status"], "succeeded");
    }
    for other in [format!(r#"{{{held}, "result": 2}}"#), format!("{{{held}}}")] {
        let refused = site.post("/v1/leases/complete", &other).await;
        assert_eq!(refused.status, 409, "{}", refused.text());
        let problem = refused.json();
        assert_eq!(problem["code"], "result_conflict");
        assert_eq!(
            (&problem["task"], &problem["task_status"]),
            (&json!(id), &json!("succeeded"))
        );
    }
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    assert_eq!(task["result"], json!({"n": 1}));
}

#[tokio::test]
async fn a_waiting_lease_request_gets_a_task_at_once() {
    let site = Site::start().await;
    let start = Instant::now();
    let (task, id) = tokio::join!(site.lease(), site.submit(r#"{"type": "a"}"#));
    assert_eq!(task["id"], id);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_lease_request_in_vain_ends_in_time_without_tasks() {
    let site = Site::start().await;
    let body = r#"{"queues": ["default"], "worker": "w", "wait_ms": 30}"#;
    let answer = site.post("/v1/leases", body).await.good();
    assert_eq!(answer["tasks"], json!([]));
    assert!(answer["now"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_task_leased_for_a_worker_that_went_away_is_given_back() {
    let site = Site::start().await;
    let body = r#"{"queues": ["default"], "worker": "gone", "wait_ms": 30000}"#;
    let gone = tokio::time::timeout(Duration::from_millis(200), site.post("/v1/leases", body));
    assert!(gone.await.is_err(), "nothing was there to lease");
    let id = site
        .submit(r#"{"type": "a", "visibility_timeout_ms": 3600000}"#)
        .await;
    let task = site.lease().await;
    assert_eq!((&task["id"], &task["retry_count"]), (&json!(id), &json!(0)));
}

#[tokio::test]
async fn a_task_whose_worker_went_away_before_the_answer_was_made_is_given_back() {
    let site = Site::start().await;
    let mut parents = Vec::new();
    for _ in 0..=INLINE_DEPENDENCIES {
        parents.push(site.submit(r#"{"type": "a", "queue": "parents"}"#).await);
    }
    let body = json!({"type": "a", "dependencies": parents, "visibility_timeout_ms": 3_600_000});
    let id = site.submit(&body.to_string()).await;
    let body = r#"{"queues": ["parents"], "worker": "w", "max": 100}"#;
    let leased = site.post("/v1/leases", body).await.good();
    for task in leased["tasks"].as_array().expect("tasks") {
        let body = format!("{{{}}}", held(task));
        site.post("/v1/leases/complete", &body).await.good();
    }

    site.store.hold(What::Dependencies);
    let body = r#"{"queues": ["default"], "worker": "gone", "wait_ms": 10000}"#;
    tokio::select! {
        _ = site.post("/v1/leases", body) => panic!("the answer is held up"),
        () = site.store.holds_one() => {}
    }
    let start = Instant::now();
    while site.get("/v1/queues/default").await.good()["counts"]["queued"] != 1 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "it is leased to nobody"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    site.store.let_go();
    let task = site.lease().await;
    assert_eq!((&task["id"], &task["retry_count"]), (&json!(id), &json!(0)));
}

#[tokio::test]
async fn a_stale_lease_is_refused_with_where_the_task_is() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a"}"#).await;
    let old = site.lease().await;
    site.post("/v1/leases/release", &format!("{{{}}}", held(&old)))
        .await
        .good();
    let new = site.lease().await;
    assert_eq!(new["attempt"], 2);
    for (path, rest) in [
        ("extend", ""),
        ("complete", r#", "result": 1"#),
        ("fail", r#", "message": "x""#),
    ] {
        let body = format!("{{{}{rest}}}", held(&old));
        let refused = site.post(&format!("/v1/leases/{path}"), &body).await;
        let problem = refused.json();
        assert_eq!(refused.status, 409, "{path}");
        assert_eq!(problem["code"], "stale_lease");
        assert_eq!(
            (&problem["task"], &problem["task_status"]),
            (&json!(id), &json!("running"))
        );
        assert_eq!(problem["type"], "urn:russet:problem:stale-lease");
    }
    site.post("/v1/leases/complete", &format!("{{{}}}", held(&new)))
        .await
        .good();
}

#[tokio::test]
async fn many_leases_are_reported_at_once_each_with_its_result() {
    let site = Site::start().await;
    for _ in 0..3 {
        site.submit(r#"{"type": "a", "max_retries": 0}"#).await;
    }
    let body = r#"{"queues": ["default"], "worker": "w", "max": 10}"#;
    let leased = site.post("/v1/leases", body).await.good();
    let tasks = leased["tasks"].as_array().expect("tasks").clone();
    assert_eq!(tasks.len(), 3);
    let extends: Vec<_> = tasks
        .iter()
        .map(|task| format!("{{{}}}", held(task)))
        .collect();
    let body = format!(r#"{{"items": [{}]}}"#, extends.join(","));
    let extended = site.post("/v1/leases/extend", &body).await.good();
    assert_eq!(extended["results"].as_array().map(Vec::len), Some(3));
    let body = format!(
        r#"{{"items": [{{{}}}, {{"task": {}, "lease_id": {}}}]}}"#,
        held(&tasks[0]),
        tasks[1]["id"],
        tasks[0]["lease_id"]
    );
    let completed = site.post("/v1/leases/complete", &body).await.good();
    assert_eq!(completed["results"][0]["status"], "succeeded");
    assert_eq!(completed["results"][1]["error"]["code"], "stale_lease");
    let body = format!(r#"{{"items": [{{{}, "message": "no"}}]}}"#, held(&tasks[1]));
    let failed = site.post("/v1/leases/fail", &body).await.good();
    assert_eq!(failed["results"][0]["status"], "dead");
    let body = format!(
        r#"{{"items": [{{{}, "delay_ms": 60000}}]}}"#,
        held(&tasks[2])
    );
    let released = site.post("/v1/leases/release", &body).await.good();
    assert_eq!(released["results"][0]["status"], "scheduled");
}

#[tokio::test]
async fn an_error_that_is_too_long_is_cut_between_two_characters() {
    let site = Site::start().await;
    let id = site.submit(r#"{"type": "a", "max_retries": 0}"#).await;
    let task = site.lease().await;
    let message = format!("n{}", "ö".repeat(4_000));
    let body = format!(r#"{{{}, "message": "{message}"}}"#, held(&task));
    site.post("/v1/leases/fail", &body).await.good();
    let task = site.get(&format!("/v1/tasks/{id}")).await.good();
    let kept = task["last_error"]["message"].as_str().expect("an error");
    assert_eq!(
        (kept, task["status"].as_str()),
        (&message[..4_095], Some("dead"))
    );
}

#[tokio::test]
async fn follow_ups_are_submitted_with_the_completion() {
    let site = Site::start().await;
    site.submit(r#"{"type": "a"}"#).await;
    let task = site.lease().await;
    let body = format!(
        r#"{{{}, "follow_ups": [{{"type": "b"}}, {{"type": "c"}}]}}"#,
        held(&task)
    );
    let done = site.post("/v1/leases/complete", &body).await.good();
    assert_eq!(done["follow_ups"].as_array().map(Vec::len), Some(2));
    assert_eq!(site.lease().await["type"], "b");
}

#[tokio::test]
async fn follow_ups_that_nobody_can_run_are_committed_with_a_warning() {
    let site = Site::start().await;
    site.submit(r#"{"type": "a"}"#).await;
    let needy = r#"{"type": "b", "resource_requirements": {"gpu": 8}}"#;
    let poll = r#"{"queues": ["default"], "worker": "w", "capacity": {"cpu": 4}}"#;
    let leased = site.post("/v1/leases", poll).await.good();
    let body = format!(
        r#"{{{}, "follow_ups": [{{"type": "c"}}, {needy}, {needy}]}}"#,
        held(&leased["tasks"][0])
    );
    let done = site.post("/v1/leases/complete", &body).await.good();
    assert_eq!(done["follow_ups"].as_array().map(Vec::len), Some(3));
    let warnings = done["warnings"].as_array().expect("a list");
    assert_eq!(warnings.len(), 1, "one of each kind: {warnings:?}");
    let told = warnings[0].as_str().expect("a text");
    assert!(
        told.starts_with("no live worker of queue default has gpu=8"),
        "{told}"
    );
    let plain = format!("{{{}}}", held(&site.lease().await));
    let plain = site.post("/v1/leases/complete", &plain).await.good();
    assert_eq!(plain.get("warnings"), None);
}

#[tokio::test]
async fn a_worker_gets_only_what_it_can_hold() {
    let site = Site::start().await;
    site.submit(r#"{"type": "big", "resource_requirements": {"cpu": 4}}"#)
        .await;
    site.submit(r#"{"type": "small", "resource_requirements": {"cpu": 1}}"#)
        .await;
    let body = r#"{"queues": ["default"], "worker": "w", "max": 10, "capacity": {"cpu": 2}}"#;
    let leased = site.post("/v1/leases", body).await.good();
    assert_eq!(leased["tasks"].as_array().map(Vec::len), Some(1));
    assert_eq!(leased["tasks"][0]["type"], "small");
}

#[tokio::test]
async fn dedup_a_follow_up_has_no_key_where_partitions_would_hide_another_task_of_it() {
    for (site, several) in [(Site::start().await, false), (Site::parted().await, true)] {
        site.submit(r#"{"type": "a"}"#).await;
        let held = held(&site.lease().await);
        let follow_up = r#"{"type": "b", "idempotency_key": "report"}"#;
        let body = format!(r#"{{{held}, "follow_ups": [{{"type": "b"}}, {follow_up}]}}"#);
        let answer = site.post("/v1/leases/complete", &body).await;
        if several {
            assert_eq!(answer.status, 422, "{}", answer.text());
            let problem = answer.json();
            assert_eq!(problem["field"], "follow_ups[1].idempotency_key");
            let limit = problem["limit"].as_str().unwrap_or_default();
            assert!(limit.contains("a submission by the handler"), "{problem}");
            let body = format!(r#"{{{held}, "follow_ups": [{{"type": "b"}}]}}"#);
            site.post("/v1/leases/complete", &body).await.good();
        } else {
            let named = answer.good()["follow_ups"][1].clone();
            let again = site.post("/v1/tasks", follow_up).await.good();
            assert_eq!((&again["task"], &again["existing"]), (&named, &json!(true)));
        }
    }
}

#[tokio::test]
async fn the_longest_backoff_holds_for_the_first_and_only_a_default_gives_way_to_it() {
    let site = Site::start().await;
    for (retry, least, most) in [
        (
            r#"{"backoff_ms": 60000, "backoff_cap_ms": 5000, "jitter_percent": 0}"#,
            4_000,
            5_000,
        ),
        (
            r#"{"backoff_ms": 7200000, "jitter_percent": 0}"#,
            7_199_000,
            7_200_000,
        ),
    ] {
        site.submit(&format!(r#"{{"type": "a", "retry": {retry}}}"#))
            .await;
        let fail = format!(r#"{{{}, "message": "no"}}"#, held(&site.lease().await));
        let failed = site.post("/v1/leases/fail", &fail).await.good();
        let due: Time = failed["scheduled_at"]
            .as_str()
            .expect("is due")
            .parse()
            .expect("a time");
        let now = Time::from(SystemClock.now());
        let wait = due.timestamp().since(now.timestamp()).as_millis();
        assert!((least..=most).contains(&wait), "{retry}: {wait} ms");
    }
}
