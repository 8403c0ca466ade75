use axum::body::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;

use crate::site::Site;

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(Full::new(r#"{"type": "a"}"#.into()))
        .expect("a request")
}

const TOKEN: &str = "correct-horse-battery";

#[tokio::test]
async fn a_server_with_tokens_wants_one_except_for_its_health() {
    let site = Site::with_tokens(&[TOKEN, "another-good-secret"]).await;
    for path in [
        "/v1/tasks",
        "/metrics",
        "/openapi.json",
        "/v1/ping",
        "/nowhere",
    ] {
        let refused = site.raw(request("GET", path, &[])).await;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (401, &json!("unauthorized")),
            "{path}"
        );
        assert_eq!(
            refused.headers.get("www-authenticate").expect("how"),
            "Bearer"
        );
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            site.raw(request("GET", path, &[])).await.status,
            200,
            "{path}"
        );
    }
    for token in [TOKEN, "another-good-secret"] {
        let bearer = format!("Bearer {token}");
        let answer = site
            .raw(request("POST", "/v1/tasks", &[("authorization", &bearer)]))
            .await;
        assert_eq!(answer.status, 201);
    }
    let wrong = [("authorization", "Bearer correct-horse-batterz")];
    assert_eq!(
        site.raw(request("GET", "/v1/tasks", &wrong)).await.status,
        401
    );
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_a_server_without_tokens() {
    let site = Site::start().await;
    let cross = [
        ("sec-fetch-site", "cross-site"),
        ("content-type", "text/plain"),
    ];
    let refused = site.raw(request("POST", "/v1/tasks", &cross)).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (403, &json!("forbidden"))
    );
    let origin = [("origin", "https://evil.example")];
    assert_eq!(
        site.raw(request("POST", "/v1/tasks", &origin)).await.status,
        403
    );
    let rebound = [("host", "evil.example:7718")];
    assert_eq!(
        site.raw(request("GET", "/v1/tasks", &rebound)).await.status,
        403
    );
    assert_eq!(
        site.raw(request("POST", "/v1/tasks", &[])).await.status,
        201
    );
}
