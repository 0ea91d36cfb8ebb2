//! Django's `CommonMiddleware`: requests of `security_headers.jsonl.gz` through the host room and the
//! canonical room, around a site with the routes of the case.

use std::convert::Infallible;

use bytes::Bytes;
use donjon::canonical::{CanonicalLayer, CanonicalPolicy};
use donjon::host::HostLayer;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::case::{Answer, Case, Unanswered, list, text};
use crate::web::{self, Sent};

type Answered = Response<Full<Bytes>>;

/// Left in the response of the view.
#[derive(Clone, Copy)]
struct ViewRan;

/// Answers a case of kind `common`.
///
/// # Errors
/// [`Unanswered`].
pub async fn common(case: &Case) -> Answer {
    let routes: Vec<_> =
        list(case.field("routes")).filter_map(Value::as_str).map(str::to_owned).collect();
    let inner = inner_response(case.field("inner_response"))?;
    let known = routes.clone();
    let site = service_fn(move |request: Request<Sent>| {
        let found = is_route(&known, request.uri().path());
        let response = if found { inner.clone() } else { not_found() };
        async move { Ok::<_, Infallible>(response) }
    });
    let service = ServiceBuilder::new()
        .layer(HostLayer::new(web::site(case)?))
        .layer(CanonicalLayer::new(policy(case, routes)?))
        .service(site);
    let Ok(response) = service.oneshot(web::request(case)?).await;
    Ok(json!({
        "status": response.status().as_u16(),
        "view_ran": response.extensions().get::<ViewRan>().is_some(),
        "headers": location(&response),
    }))
}

/// What the settings of `CommonMiddleware` amount to, in a site of these routes.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn policy(case: &Case, routes: Vec<String>) -> Result<CanonicalPolicy, Unanswered> {
    let agents = list(case.setting("DISALLOWED_USER_AGENTS"));
    let agents = agents.map(|agent| text(&agent["$regex"], "a user agent's pattern"));
    let agents = agents.collect::<Result<Vec<_>, _>>()?;
    let mut policy = CanonicalPolicy::default()
        .disallowed_user_agents(agents)
        .map_err(|error| Unanswered::Malformed(error.to_string()))?;
    if case.setting("PREPEND_WWW") == true {
        policy = policy.prepend_www();
    }
    if case.setting("APPEND_SLASH") == true {
        policy = policy.append_slash(move |path| is_route(&routes, path));
    }
    Ok(policy)
}

/// Django's patterns are of the decoded path, without its first slash.
fn is_route(routes: &[String], path: &str) -> bool {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let path = decoded.strip_prefix('/').unwrap_or(&decoded);
    routes.iter().any(|route| route == path)
}

fn inner_response(described: &Value) -> Result<Answered, Unanswered> {
    let malformed = |what: &str| Unanswered::Malformed(format!("{what} of the inner response"));
    let mut response = Response::new(Full::default());
    let status = described["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.ok_or_else(|| malformed("the status"))?;
    for pair in list(&described["headers"]) {
        let name = HeaderName::try_from(text(&pair[0], "a header's name")?);
        let value = HeaderValue::from_str(text(&pair[1], "a header")?);
        let pair = name.ok().zip(value.ok()).ok_or_else(|| malformed("a header"))?;
        response.headers_mut().append(pair.0, pair.1);
    }
    response.extensions_mut().insert(ViewRan);
    Ok(response)
}

fn not_found() -> Answered {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Of the headers that the middleware sets, those that the response has.
fn location(response: &Answered) -> Map<String, Value> {
    let location = response.headers().get(header::LOCATION);
    let location = location.map(|value| json!(donjon_core::origin::latin1(value)));
    location.map(|value| ("Location".to_owned(), value)).into_iter().collect()
}
