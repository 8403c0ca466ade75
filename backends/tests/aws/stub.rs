//! A client that hands requests to a real server, unless it is told to answer them itself.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::policy;

/// What becomes of a request.
#[derive(Clone)]
pub enum Reply {
    /// It is answered with this status, from what it says.
    Answer(u16, fn(&Value) -> Value),
    /// It is carried out, and the reply is lost.
    Lost,
    /// It is not even sent.
    Reset,
}

/// An error of the service, by name.
pub fn refusal(name: &'static str) -> Value {
    json!({ "__type": format!("com.amazonaws#{name}"), "message": "as the test says" })
}

/// Answers the next requests of some kinds by itself, and counts all.
#[derive(Clone)]
pub struct Stub {
    client: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Actions that are denied, and on what.
    denied: Vec<(&'static str, String)>,
    script: VecDeque<(&'static str, Reply)>,
    asked: Vec<String>,
}

impl Stub {
    pub fn new() -> Self {
        Self {
            client: Builder::new().build_http(),
            state: Arc::default(),
        }
    }

    /// What the next requests of this kind meet, such as `PutItem`.
    pub fn on(&self, kind: &'static str, times: usize, reply: Reply) {
        let replies = std::iter::repeat_n((kind, reply), times);
        self.lock().script.extend(replies);
    }

    /// Denies an action, as policies name it, where `on` is a part of the request's kind and
    /// resource: everywhere when it is empty.
    pub fn deny(&self, action: &'static str, on: &str) {
        self.lock().denied.push((action, on.to_owned()));
    }

    /// Denies nothing any more.
    pub fn allow(&self) {
        self.lock().denied.clear();
    }

    /// What is said of a request that needs something which is denied.
    fn denies(&self, kind: &str, asked: &Value) -> Option<Value> {
        let place = policy::place(kind, asked);
        let needs = policy::needs(kind, asked);
        let state = self.lock();
        let denies = |(action, on): &&(&'static str, String)| {
            needs.iter().any(|need| need == action) && place.contains(on)
        };
        let (action, _) = state.denied.iter().find(denies)?;
        Some(policy::denial(action))
    }

    /// How many requests of this kind there were.
    pub fn count(&self, kind: &str) -> usize {
        let state = self.lock();
        state.asked.iter().filter(|asked| *asked == kind).count()
    }

    /// Whether everything happened that was to happen.
    pub fn is_done(&self) -> bool {
        self.lock().script.is_empty()
    }

    /// The client for [`russet_backends::aws::Seams`].
    pub fn client(&self) -> SharedHttpClient {
        let stub = self.clone();
        http_client_fn(
            move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
                SharedHttpConnector::new(Connector {
                    stub: stub.clone(),
                    inner: stub.client.http_connector(settings, components),
                })
            },
        )
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, and says what becomes of it.
    fn meet(&self, kind: &str) -> Option<Reply> {
        let mut state = self.lock();
        state.asked.push(kind.to_owned());
        let at = state.script.iter().position(|(asked, _)| *asked == kind)?;
        state.script.remove(at).map(|(_, reply)| reply)
    }
}

struct Connector {
    stub: Stub,
    inner: SharedHttpConnector,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let kind = target.rsplit('.').next().unwrap_or_default();
        let lost = || Err(ConnectorError::io("the connection was reset".into()));
        let asked = request.body().bytes().unwrap_or_default();
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let answered = |status: u16, body: Value| {
            let status = StatusCode::try_from(status).expect("a status");
            let body = SdkBody::from(body.to_string());
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, body)))
        };
        if let Some(denial) = self.stub.denies(kind, &asked) {
            return answered(400, denial);
        }
        match self.stub.meet(kind) {
            None => self.inner.call(request),
            Some(Reply::Reset) => HttpConnectorFuture::ready(lost()),
            Some(Reply::Lost) => {
                let carried_out = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    carried_out.await?;
                    lost()
                })
            }
            Some(Reply::Answer(status, answer)) => answered(status, answer(&asked)),
        }
    }
}
