//! The cases of `cors.jsonl.gz`: one request through the CORS room around an application that would
//! answer by itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use donjon::cors::{CorsBuilder, CorsLayer, CorsPolicy, Reading, current_setting};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::case::{Answer, Case, Unanswered, list, text};
use crate::web::{self, Sent};

fn malformed(error: impl std::fmt::Display) -> Unanswered {
    Unanswered::Malformed(error.to_string())
}

/// Answers a case of kind `request`.
///
/// # Errors
/// [`Unanswered`].
pub async fn request(case: &Case) -> Answer {
    let inner = inner_response(case)?;
    let reached = Arc::new(AtomicBool::new(false));
    let mark = Arc::clone(&reached);
    let handler = service_fn(move |_: Request<Sent>| {
        mark.store(true, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(inner.clone()))
    });
    let service = CorsLayer::new(policy(case)?).layer(handler);
    let Ok(response) = service.oneshot(web::request(case)?).await;
    Ok(outcome(&response, reached.load(Ordering::Relaxed)))
}

/// Answers a case of kind `setting_alias`: a setting under its new name wins over its old one.
///
/// # Errors
/// [`Unanswered`].
pub fn setting_alias(case: &Case) -> Answer {
    let name = case.text("name")?;
    let settings = case.field("settings").as_object().ok_or_else(|| malformed("no settings"))?;
    let old = || settings.iter().find(|(known, _)| current_setting(known) == name);
    let value = settings.get(name).or_else(|| old().map(|(_, value)| value));
    Ok(json!({"value": value}))
}

fn inner_response(case: &Case) -> Result<Response<Full<Bytes>>, Unanswered> {
    let described = case.field("inner_response");
    let mut response = Response::new(Full::default());
    let status = described["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.ok_or_else(|| malformed("no status"))?;
    *response.status_mut() = StatusCode::from_u16(status).map_err(malformed)?;
    for pair in list(&described["headers"]) {
        let (name, value) = (text(&pair[0], "a header's name")?, text(&pair[1], "a header")?);
        let name = HeaderName::try_from(name).map_err(malformed)?;
        response.headers_mut().append(name, HeaderValue::try_from(value).map_err(malformed)?);
    }
    Ok(response)
}

/// The policy that django-cors-headers' settings amount to.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn policy(case: &Case) -> Result<CorsPolicy, Unanswered> {
    let strings = |name: &str| list(case.setting(name)).filter_map(Value::as_str);
    let mut builder = CorsPolicy::new(strings("CORS_ALLOWED_ORIGINS"))
        .danger_as_django()
        .methods(strings("CORS_ALLOW_METHODS"))
        .headers(strings("CORS_ALLOW_HEADERS"))
        .expose(strings("CORS_EXPOSE_HEADERS"))
        .danger_max_age(case.setting("CORS_PREFLIGHT_MAX_AGE").as_i64().unwrap_or(86_400));
    for pattern in list(case.setting("CORS_ALLOWED_ORIGIN_REGEXES")) {
        builder = builder.danger_pattern(pattern_of(pattern)?);
    }
    if let Some(pattern) = case.setting("CORS_URLS_REGEX").as_str() {
        builder = builder.allow_path_pattern(pattern);
    }
    hooked(case, switched(case, builder)).build().map_err(malformed)
}

fn pattern_of(pattern: &Value) -> Result<String, Unanswered> {
    match &pattern["$regex"] {
        Value::String(compiled) => {
            let flags = pattern["flags"].as_str().unwrap_or_default();
            Ok(if flags.is_empty() { compiled.clone() } else { format!("(?{flags}){compiled}") })
        }
        _ => Ok(text(pattern, "a pattern")?.to_owned()),
    }
}

fn switched(case: &Case, mut builder: CorsBuilder) -> CorsBuilder {
    if case.setting("CORS_ALLOW_ALL_ORIGINS") == true {
        builder = builder.allow_any_origin();
    }
    if case.setting("CORS_ALLOW_CREDENTIALS") == true {
        builder = builder.allow_credentials();
    }
    if case.setting("CORS_ALLOW_PRIVATE_NETWORK") == true {
        builder = builder.allow_private_network();
    }
    builder
}

fn hooked(case: &Case, builder: CorsBuilder) -> CorsBuilder {
    let reading = match case.field("check_request_enabled") {
        Value::Bool(true) => Reading::Allowed,
        Value::Bool(false) => Reading::AsThePolicySays,
        _ => return builder,
    };
    builder.allow_if(move |_| reading)
}

fn outcome(response: &Response<Full<Bytes>>, reached: bool) -> Value {
    let headers = response.headers();
    let mut outcome = json!({
        "short_circuit": !reached,
        "status": response.status().as_u16(),
        "vary": one(headers, &header::VARY),
        "headers": allowances(headers),
    });
    if !reached {
        outcome["content_length"] = one(headers, &header::CONTENT_LENGTH);
    }
    outcome
}

fn one(headers: &HeaderMap, name: &HeaderName) -> Value {
    headers.get(name).map_or(Value::Null, |value| donjon_core::origin::latin1(value).into())
}

fn allowances(headers: &HeaderMap) -> Map<String, Value> {
    let ours = headers.keys().filter(|name| name.as_str().starts_with("access-control-"));
    ours.map(|name| (name.as_str().to_owned(), one(headers, name))).collect()
}
