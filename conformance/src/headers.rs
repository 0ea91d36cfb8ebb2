//! `security_headers.jsonl.gz`, kinds `security` and `xframe`: requests through the layers of
//! [`donjon::headers`] and [`donjon::https`], with Django's settings.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use donjon::headers::{Framing, HeadersLayer, HeadersPolicy, ReferrerPolicy, RouteFraming};
use donjon::host::HostLayer;
use donjon::https::{HstsScope, HttpsLayer, HttpsPolicy, Spelling};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use crate::case::{Answer, Case, Unanswered, list, text};
use crate::web;

/// What `SecurityMiddleware` sets.
const SECURITY: [&str; 5] = [
    "Strict-Transport-Security",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Location",
];

/// What `XFrameOptionsMiddleware` sets.
const XFRAME: [&str; 1] = ["X-Frame-Options"];

fn malformed(error: impl std::fmt::Display) -> Unanswered {
    Unanswered::Malformed(error.to_string())
}

/// Answers a case of kind `security`.
///
/// # Errors
/// [`Unanswered`].
pub async fn security(case: &Case) -> Answer {
    answer(case, security_policy(case)?, https(case)?, &SECURITY).await
}

/// Answers a case of kind `xframe`.
///
/// # Errors
/// [`Unanswered`].
pub async fn xframe(case: &Case) -> Answer {
    answer(case, framed(case, HeadersPolicy::django())?, HttpsPolicy::default(), &XFRAME).await
}

/// The headers that Django's settings amount to.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn policy(case: &Case) -> Result<HeadersPolicy, Unanswered> {
    framed(case, security_policy(case)?)
}

fn security_policy(case: &Case) -> Result<HeadersPolicy, Unanswered> {
    opener_policy(case, referrer_policy(case, nosniff(case))?)
}

fn framed(case: &Case, policy: HeadersPolicy) -> Result<HeadersPolicy, Unanswered> {
    let setting = text(case.setting("X_FRAME_OPTIONS"), "X_FRAME_OPTIONS")?;
    Ok(match setting.parse::<Framing>() {
        Ok(framing) => policy.framing(framing),
        Err(_) => {
            let value = HeaderValue::try_from(setting.to_uppercase()).map_err(malformed)?;
            policy.danger_value(header::X_FRAME_OPTIONS, value)
        }
    })
}

fn nosniff(case: &Case) -> HeadersPolicy {
    match case.setting("SECURE_CONTENT_TYPE_NOSNIFF") {
        Value::Bool(false) => {
            HeadersPolicy::django().danger_without(&header::X_CONTENT_TYPE_OPTIONS)
        }
        _ => HeadersPolicy::django(),
    }
}

/// The setting is one text with commas, or a list.
fn referrer_policy(case: &Case, policy: HeadersPolicy) -> Result<HeadersPolicy, Unanswered> {
    let setting = case.setting("SECURE_REFERRER_POLICY");
    let words = setting.as_str().unwrap_or_default().split(',').filter(|word| !word.is_empty());
    let words = words.chain(list(setting).filter_map(Value::as_str));
    let parsed = words.map(str::parse).collect::<Result<Vec<ReferrerPolicy>, _>>();
    Ok(policy.referrer_policy(parsed.map_err(malformed)?))
}

fn opener_policy(case: &Case, policy: HeadersPolicy) -> Result<HeadersPolicy, Unanswered> {
    match case.setting("SECURE_CROSS_ORIGIN_OPENER_POLICY").as_str() {
        Some(word) => Ok(policy.opener_policy(word.parse().map_err(malformed)?)),
        None => Ok(policy.danger_without(&HeaderName::from_static("cross-origin-opener-policy"))),
    }
}

/// What Django's settings amount to on the way to HTTPS.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn https(case: &Case) -> Result<HttpsPolicy, Unanswered> {
    let exempt = list(case.setting("SECURE_REDIRECT_EXEMPT")).filter_map(Value::as_str);
    let mut policy = HttpsPolicy::default().spelling(Spelling::Django);
    policy = policy.exempt_patterns(exempt).map_err(malformed)?;
    if let Some(host) = case.setting("SECURE_SSL_HOST").as_str() {
        policy = policy.host(host).map_err(malformed)?;
    }
    if case.setting("SECURE_SSL_REDIRECT") == true {
        policy = policy.redirect();
    }
    Ok(hsts(case, policy))
}

fn hsts(case: &Case, policy: HttpsPolicy) -> HttpsPolicy {
    let age = Duration::from_secs(case.setting("SECURE_HSTS_SECONDS").as_u64().unwrap_or_default());
    let scope = match case.setting("SECURE_HSTS_INCLUDE_SUBDOMAINS") {
        Value::Bool(true) => HstsScope::Subdomains,
        _ => HstsScope::Host,
    };
    match case.setting("SECURE_HSTS_PRELOAD") {
        Value::Bool(true) => policy.danger_hsts_preload(age, scope),
        _ => policy.hsts(age, scope),
    }
}

/// Sends the request of a case through the layers to its view. The host is asked for inside of Django's
/// middleware, whose headers a bad one therefore lacks: here the host layer is outside.
async fn answer(case: &Case, headers: HeadersPolicy, https: HttpsPolicy, set: &[&str]) -> Answer {
    let (view, ran) = (view(case.field("inner_response"))?, Arc::new(AtomicBool::new(false)));
    let runs = Arc::clone(&ran);
    let service = ServiceBuilder::new()
        .layer(HostLayer::new(web::site(case)?))
        .layer(HeadersLayer::new(headers))
        .layer(HttpsLayer::new(https))
        .service(service_fn(move |_: Request<web::Sent>| {
            runs.store(true, Ordering::Relaxed);
            ready(Ok::<_, Infallible>(view.clone()))
        }));
    let Ok(response) = service.oneshot(web::request(case)?).await;
    Ok(json!({
        "status": response.status().as_u16(),
        "view_ran": ran.load(Ordering::Relaxed),
        "headers": named(response.headers(), set),
    }))
}

/// The response of the view.
fn view(described: &Value) -> Result<Response<Bytes>, Unanswered> {
    let mut response = Response::new(Bytes::new());
    let status = described["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    *response.status_mut() = StatusCode::from_u16(status.unwrap_or_default()).map_err(malformed)?;
    *response.headers_mut() = web::headers(described)?;
    if described["flags"]["xframe_options_exempt"] == true {
        RouteFraming::Exempt.mark(&mut response);
    }
    Ok(response)
}

/// Of these headers those that are there.
fn named(headers: &HeaderMap, names: &[&str]) -> Map<String, Value> {
    let value = |name: &&str| Some(((*name).to_owned(), json!(headers.get(*name)?.to_str().ok()?)));
    names.iter().filter_map(value).collect()
}
