//! Answers of an interrupted run, given again: below the SDK, so that collectors and parsers see no difference.
//!
//! What is recalled was recorded when AWS gave it, and is not recorded again. Only where nothing is recalled does a request go out.

use std::sync::Arc;

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use super::capture::split;
use crate::{
    model::{AccountId, Region},
    spool::Memory,
};

/// Marks an answer that was recalled. A header of this name in an answer from the network is taken off.
pub(super) const RECALLED: &str = "x-orgproof-recalled";

/// Puts a memory in front of the network, for whoever asks with the credentials of `account` in `region`.
pub(super) fn over(
    network: SharedHttpClient,
    memory: Arc<Memory>,
    account: AccountId,
    region: Region,
) -> SharedHttpClient {
    SharedHttpClient::new(Recalling { network, asker: Asker { memory, account, region } })
}

#[derive(Debug)]
struct Recalling {
    network: SharedHttpClient,
    asker: Asker,
}

#[derive(Debug)]
struct Connector {
    network: SharedHttpConnector,
    asker: Asker,
}

#[derive(Debug, Clone)]
struct Asker {
    memory: Arc<Memory>,
    account: AccountId,
    region: Region,
}

impl HttpClient for Recalling {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let network = self.network.http_connector(settings, components);
        SharedHttpConnector::new(Connector { network, asker: self.asker.clone() })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.asker.recall(&request) {
            Ok(Some(answer)) => HttpConnectorFuture::ready(Ok(answer)),
            Ok(None) => {
                let answer = self.network.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await.map(|mut answer| {
                        answer.headers_mut().remove(RECALLED);
                        answer
                    })
                })
            }
            Err(error) => HttpConnectorFuture::ready(Err(ConnectorError::io(error.into()))),
        }
    }
}

impl Asker {
    fn recall(&self, request: &HttpRequest) -> std::io::Result<Option<HttpResponse>> {
        let target = request.headers().get("x-amz-target").and_then(|t| t.rsplit('.').next());
        let (_, path) = split(request.uri());
        let body = request.body().bytes().unwrap_or_default();
        let Some(text) = request_json(target.is_some(), &path, body) else { return Ok(None) };
        let place = (self.account.as_str(), self.region.as_str());
        let Some(bytes) = self.memory.recall(place, target.unwrap_or_default(), &text)? else { return Ok(None) };
        let status = StatusCode::try_from(200).map_err(std::io::Error::other)?;
        let mut answer = HttpResponse::new(status, SdkBody::from(bytes));
        answer.headers_mut().insert(RECALLED, "1");
        Ok(Some(answer))
    }
}

/// Returns a request as the record of calls keeps it. The awsJson protocols put everything into the body; REST needs the path as well.
pub(super) fn request_json(body_says_all: bool, path: &str, body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    if body_says_all {
        return (!body.is_empty()).then(|| body.to_owned());
    }
    let path = serde_json::to_string(path).ok()?;
    Some(if body.is_empty() { format!("{{\"path\":{path}}}") } else { format!("{{\"path\":{path},\"body\":{body}}}") })
}
