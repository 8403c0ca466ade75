//! Who carries the SDK's requests.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use futures::future::BoxFuture;
use russet_models::sqs::Reply;

use super::AwsRequest;
use super::services::Services;
use crate::history::Actor;
use crate::world::net::{self, CallError, Net, Parcel};

/// Carries a request, and brings the reply.
pub(super) type Carry =
    Arc<dyn Fn(AwsRequest) -> BoxFuture<'static, Result<Reply, CallError>> + Send + Sync>;

/// Over the network from a node to a service.
pub(super) fn over(net: &Net, node: Actor, service: Actor) -> Carry {
    let net = net.clone();
    Arc::new(move |request| {
        let net = net.clone();
        Box::pin(async move {
            match net.call(node, service, Parcel::Aws(request)).await? {
                net::Reply::Aws(reply) => Ok(reply),
                _ => Err(CallError::Reset),
            }
        })
    })
}

/// To the store itself, with nothing between.
pub(super) fn directly(services: Services) -> Carry {
    Arc::new(move |request| {
        let reply = services.answer_directly(&request);
        Box::pin(async move { Ok(reply) })
    })
}

/// The client of an SDK whose requests are carried so.
pub(super) fn http(carry: Carry) -> SharedHttpClient {
    http_client_fn(move |_, _| SharedHttpConnector::new(Connector(carry.clone())))
}

struct Connector(Carry);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let carried = (self.0)(AwsRequest {
            target: target.to_owned(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        });
        HttpConnectorFuture::new(async move {
            let reply = carried.await.map_err(|error| match error {
                CallError::Refused => ConnectorError::io("connection refused".into()),
                CallError::Reset => ConnectorError::io("connection reset".into()),
            })?;
            let status = StatusCode::try_from(reply.status);
            let status = status.map_err(|error| ConnectorError::other(error.into(), None))?;
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
            for (name, value) in reply.headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}
