use serde_json::json;

use crate::site::{Site, held};

const DIAMOND: &str = r#"{"name": "diamond", "tasks": [
    {"name": "start", "type": "a"},
    {"name": "left", "type": "a", "depends_on": ["start"]},
    {"name": "right", "type": "a", "depends_on": ["start"]},
    {"name": "end", "type": "a", "depends_on": ["left", {"task": "right", "on": "completion"}]}]}"#;

#[tokio::test]
async fn a_workflow_runs_in_the_order_of_its_dependencies() {
    let site = Site::parted().await;
    let answer = site.post("/v1/workflows", DIAMOND).await;
    assert_eq!(answer.status, 201);
    let submitted = answer.json();
    let id = submitted["workflow"].as_str().expect("an id").to_owned();
    let mut order = Vec::new();
    for _ in 0..4 {
        let task = site.lease().await;
        order.push(
            task["metadata"]["name"]
                .as_str()
                .expect("a name")
                .to_owned(),
        );
        site.post("/v1/leases/complete", &format!("{{{}}}", held(&task)))
            .await
            .good();
    }
    assert_eq!((order[0].as_str(), order[3].as_str()), ("start", "end"));
    let workflow = site
        .get(&format!("/v1/workflows/{id}?limit=2"))
        .await
        .good();
    assert_eq!(
        (&workflow["status"], &workflow["name"]),
        (&json!("succeeded"), &json!("diamond"))
    );
    assert_eq!(workflow["counts"]["succeeded"], 4);
    assert_eq!(workflow["tasks"]["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_cycle_is_refused_with_its_path() {
    let site = Site::parted().await;
    let body = r#"{"tasks": [
        {"name": "a", "type": "t", "depends_on": ["b"]},
        {"name": "b", "type": "t", "depends_on": ["a"]}]}"#;
    let refused = site.post("/v1/workflows", body).await;
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (422, &json!("cycle")));
    let path = problem["path"].as_array().expect("a path");
    assert_eq!((path.len(), &path[0]), (3, &path[2]));
}

#[tokio::test]
async fn a_workflow_that_nobody_can_run_wholly_is_accepted_with_a_warning() {
    let site = Site::parted().await;
    let body = r#"{"defaults": {"resource_requirements": {"gpu": 1}}, "tasks": [
        {"name": "a", "type": "t"}, {"name": "b", "type": "t"},
        {"name": "c", "type": "t", "resource_requirements": {"cpu": 64}}]}"#;
    let accepted = site.post("/v1/workflows", body).await.good();
    assert_eq!(
        accepted["warnings"].as_array().map(Vec::len),
        Some(2),
        "{accepted}"
    );
}

#[tokio::test]
async fn an_unknown_workflow_is_not_found() {
    let site = Site::parted().await;
    let missing = site.get("/v1/workflows/00000000000000000000000000").await;
    assert_eq!(
        (missing.status, &missing.json()["code"]),
        (404, &json!("not_found"))
    );
    let path = "/v1/workflows/00000000000000000000000000/redrive";
    assert_eq!(site.post(path, "").await.status, 404);
    let wrong = site.post(path, r#"{"all": true}"#).await;
    assert_eq!((wrong.status, &wrong.json()["field"]), (422, &json!("all")));
}

/// Submits the diamond whose tasks have no retries, and lets its first task fail; the id of the
/// workflow.
async fn failed(site: &Site) -> String {
    let diamond = DIAMOND.replace("\"a\"", "\"a\", \"max_retries\": 0");
    let submitted = site.post("/v1/workflows", &diamond).await.good();
    let id = submitted["workflow"].as_str().expect("an id").to_owned();
    fail(site).await;
    while counts(site, &id).await["live"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    id
}

async fn fail(site: &Site) {
    let task = site.lease().await;
    let body = format!(r#"{{{}, "message": "no"}}"#, held(&task));
    site.post("/v1/leases/fail", &body).await.good();
}

async fn counts(site: &Site, id: &str) -> serde_json::Value {
    let workflow = site.get(&format!("/v1/workflows/{id}")).await.good();
    workflow["counts"].clone()
}

#[tokio::test]
async fn a_workflow_is_cancelled_as_a_whole_and_what_runs_is_asked_to_stop() {
    let site = Site::parted().await;
    let submitted = site.post("/v1/workflows", DIAMOND).await.good();
    let id = submitted["workflow"].as_str().expect("an id");
    let running = site.lease().await;
    let path = format!("/v1/workflows/{id}/cancel");
    let done = site.post(&path, r#"{"reason": "not now"}"#).await.good();
    assert_eq!(
        (&done["cancelled"], &done["asked"], &done["name"]),
        (&json!(3), &json!(1), &json!("diamond")),
        "{done}"
    );
    assert_eq!(done["counts"]["cancelled"], 3);
    let path_of_running = format!("/v1/tasks/{}", running["id"].as_str().expect("an id"));
    let asked = site.get(&path_of_running).await.good();
    assert_eq!(
        (&asked["status"], &asked["cancel_requested"]),
        (&json!("running"), &json!(true))
    );
    let path_of_ended = format!("/v1/workflows/{id}?status=cancelled");
    let ended = site.get(&path_of_ended).await.good();
    assert_eq!(
        ended["tasks"]["items"][0]["last_error"]["message"], "not now",
        "{ended}"
    );
    let stopped = format!(r#"{{{}, "message": "stopped"}}"#, held(&running));
    site.post("/v1/leases/fail", &stopped).await.good();
    let again = site.post(&path, "").await.good();
    assert_eq!(
        (
            &again["cancelled"],
            &again["asked"],
            &again["counts"]["live"]
        ),
        (&json!(0), &json!(0), &json!(0)),
        "{again}"
    );
    let missing = "/v1/workflows/00000000000000000000000000/cancel";
    assert_eq!(site.post(missing, "").await.status, 404);
}

#[tokio::test]
async fn a_failed_workflow_is_redriven_and_goes_on() {
    let site = Site::parted().await;
    let id = failed(&site).await;
    let path = format!("/v1/workflows/{id}/redrive");
    let first = site.post(&path, r#"{"request_id": "one"}"#).await.good();
    assert_eq!(
        (&first["redriven"], &first["refused"], &first["name"]),
        (&json!(4), &json!(0), &json!("diamond"))
    );
    assert_eq!(first["counts"]["live"], 4);
    fail(&site).await;
    let again = site.post(&path, r#"{"request_id": "one"}"#).await.good();
    assert_eq!(again["redriven"], 4, "{again}");
    assert_eq!(counts(&site, &id).await["dead"], 1, "it is no new redrive");
    while counts(&site, &id).await["live"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    site.post(&path, "").await.good();
    for _ in 0..4 {
        let task = site.lease().await;
        site.post("/v1/leases/complete", &format!("{{{}}}", held(&task)))
            .await
            .good();
    }
    assert_eq!(counts(&site, &id).await["succeeded"], 4);
    let nothing = site.post(&path, "").await.good();
    assert_eq!(
        (&nothing["redriven"], &nothing["refused"]),
        (&json!(0), &json!(0))
    );
}

#[tokio::test]
async fn what_somebody_cancelled_stays_cancelled_unless_it_is_asked_for() {
    let site = Site::parted().await;
    let submitted = site.post("/v1/workflows", DIAMOND).await.good();
    let id = submitted["workflow"].as_str().expect("an id");
    let left = submitted["tasks"]["left"].as_str().expect("an id");
    site.post(&format!("/v1/tasks/{left}/cancel"), "{}")
        .await
        .good();
    let path = format!("/v1/workflows/{id}/redrive");
    let kept = site.post(&path, "{}").await.good();
    assert_eq!(
        (&kept["redriven"], &kept["refused"]),
        (&json!(0), &json!(2))
    );
    let refusals = kept["refusals"].as_array().expect("refusals");
    assert_eq!(
        (&refusals[0]["name"], &refusals[0]["code"]),
        (&json!("left"), &json!("wrong_status"))
    );
    let detail = refusals[0]["detail"].as_str().expect("a reason");
    assert!(
        detail.contains("somebody cancelled it") && detail.contains("--cancelled"),
        "{detail}"
    );
    assert_eq!(
        (&refusals[1]["name"], refusals.len()),
        (&json!("end"), 2),
        "{kept}"
    );
    let alone = format!("/v1/tasks/{left}/redrive");
    assert_eq!(site.post(&alone, "{}").await.status, 409);
    let all = site.post(&path, r#"{"cancelled": true}"#).await.good();
    assert_eq!((&all["redriven"], &all["refused"]), (&json!(2), &json!(0)));
    site.post(&format!("/v1/tasks/{left}/cancel"), "{}")
        .await
        .good();
    let alone = site.post(&alone, r#"{"cancelled": true}"#).await.good();
    assert_eq!(alone["status"], "blocked");
}

#[tokio::test]
async fn a_workflow_whose_failure_handlers_were_not_needed_succeeded() {
    let site = Site::parted().await;
    let body = r#"{"name": "guarded", "tasks": [
        {"name": "load", "type": "t"},
        {"name": "alarm", "type": "t", "depends_on": [{"task": "load", "on": "failure"}]},
        {"name": "report", "type": "t", "depends_on": ["alarm"]}]}"#;
    let submitted = site.post("/v1/workflows", body).await.good();
    let id = submitted["workflow"].as_str().expect("an id");
    let task = site.lease().await;
    let done = format!("{{{}}}", held(&task));
    site.post("/v1/leases/complete", &done).await.good();
    while counts(&site, id).await["live"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let workflow = site.get(&format!("/v1/workflows/{id}")).await.good();
    assert_eq!(workflow["status"], "succeeded", "{workflow}");
    let counts = &workflow["counts"];
    assert_eq!(
        (
            &counts["succeeded"],
            &counts["cancelled"],
            &counts["not_needed"]
        ),
        (&json!(1), &json!(2), &json!(2))
    );
    let tasks = workflow["tasks"]["items"].as_array().expect("a page");
    let named = |name: &str| {
        let is_it = |task: &&serde_json::Value| task["metadata"]["name"] == name;
        tasks.iter().find(is_it).expect("is listed").clone()
    };
    let alarm = named("alarm");
    assert_eq!(alarm["last_error"]["kind"], "not_needed", "{alarm}");
    let path = format!("/v1/tasks/{}/explain", alarm["id"].as_str().expect("an id"));
    let why = site.get(&path).await.good();
    assert_eq!(why["reasons"][0]["code"], "not_needed", "{why}");
    assert_eq!(named("report")["last_error"]["kind"], "not_needed");
}
