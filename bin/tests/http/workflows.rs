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
}
