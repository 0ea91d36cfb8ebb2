//! The policies of `csp.jsonl.gz`, and the kind `csp` of `security_headers.jsonl.gz`: Django's own
//! middleware, and django-csp's.

use std::convert::Infallible;
use std::fmt;

use bytes::Bytes;
use donjon::csp::{
    CspLayer, CspNonce, CspPolicies, CspPolicy, DJANGO_NONCE, DjangoCsp, DjangoCspSettings,
    DjangoValue, RouteCsp,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use tower::{Layer, ServiceExt, service_fn};

use crate::case::{Answer, Case, Unanswered, list, text};
use crate::web::{self, Sent};

const HEADERS: [&str; 2] = ["Content-Security-Policy", "Content-Security-Policy-Report-Only"];

fn malformed(error: impl fmt::Display) -> Unanswered {
    Unanswered::Malformed(error.to_string())
}

/// Answers a case of kind `django_build_policy`.
///
/// # Errors
/// [`Unanswered`].
pub fn django_policy(case: &Case) -> Answer {
    let policy = django(case.field("config"))?;
    Ok(json!({"policy": written(policy.as_ref(), given_nonce(case.field("nonce")))?}))
}

/// Answers a case of kind `django_csp_build_policy`.
///
/// # Errors
/// [`Unanswered`].
pub fn django_csp_policy(case: &Case) -> Answer {
    let args = case.field("args");
    let setting = match &args["report_only"] {
        Value::Bool(true) => "CONTENT_SECURITY_POLICY_REPORT_ONLY",
        _ => "CONTENT_SECURITY_POLICY",
    };
    let changes = [&args["config"], &args["update"], &args["replace"]];
    let settings = changed(django_csp(case.setting(setting))?, changes)?;
    let policy = settings.map_or(Ok(None), |settings| settings.policy()).map_err(malformed)?;
    Ok(json!({"directives": sorted(&written(policy.as_ref(), given_nonce(&args["nonce"]))?)}))
}

/// The policies that `SECURE_CSP` and `SECURE_CSP_REPORT_ONLY` amount to.
///
/// # Errors
/// [`Unanswered::Malformed`] for settings that are none.
pub fn policies(case: &Case) -> Result<CspPolicies, Unanswered> {
    let policies = match django(case.setting("SECURE_CSP"))? {
        Some(policy) => CspPolicies::enforce(policy),
        None => CspPolicies::danger_none(),
    };
    Ok(match django(case.setting("SECURE_CSP_REPORT_ONLY"))? {
        Some(policy) => policies.report_only(policy),
        None => policies,
    })
}

/// Answers a case of kind `csp`.
///
/// # Errors
/// [`Unanswered`].
pub async fn django_middleware(case: &Case) -> Answer {
    let policies = policies(case)?;
    let flags = &case.field("inner_response")["flags"];
    let mut route = RouteCsp::default();
    if let Some(setting) = flags.get("csp_override") {
        route = enforced(route, django(setting)?);
    }
    if let Some(setting) = flags.get("csp_report_only_override") {
        route = tried(route, django(setting)?);
    }
    let used = flags["nonce_used"] == true;
    let (response, printed) = answered(case, policies, route, used).await?;
    let view_ran = printed.is_some();
    let nonce = printed.and_then(|printed| printed.0);
    let header = |name: &&str| {
        let value = response.headers().get(*name)?.to_str().ok()?;
        Some(((*name).to_owned(), Value::from(hidden(value, nonce.as_deref()))))
    };
    let url_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let about = nonce.as_deref().map(
        |nonce| json!({"length": nonce.len(), "url_safe_base64": nonce.chars().all(url_safe)}),
    );
    Ok(json!({
        "status": response.status().as_u16(),
        "view_ran": view_ran,
        "headers": HEADERS.iter().filter_map(header).collect::<Map<_, _>>(),
        "nonce": about,
    }))
}

/// Answers a case of kind `django_csp_middleware`.
///
/// # Errors
/// [`Unanswered`].
pub async fn django_csp_middleware(case: &Case) -> Answer {
    let settings = HEADERS.map(|name| name.to_uppercase().replace('-', "_"));
    let [enforce, try_out] = settings.map(|name| django_csp(case.setting(&name)));
    let (enforce, try_out) = (enforce?, try_out?);
    let mut policies =
        CspPolicies::from_django_csp(enforce.as_ref(), try_out.as_ref()).map_err(malformed)?;
    if case.setting("DEBUG") == true {
        policies = policies.danger_without_on_errors();
    }
    let described = case.field("inner_response");
    let route = enforced_by_flags(&described["flags"], "", enforce, RouteCsp::default())?;
    let route = enforced_by_flags(&described["flags"], "_report_only", try_out, route)?;
    let used = described["nonce_used"] == true;
    let (response, printed) = answered(case, policies, route, used).await?;
    let nonce = printed.and_then(|printed| printed.0);
    let header = |name: &&str| {
        let value = response.headers().get(*name).and_then(|value| value.to_str().ok());
        let value = value.map(|value| sorted(&hidden(value, nonce.as_deref())));
        ((*name).to_owned(), json!(value))
    };
    Ok(json!({
        "status": response.status().as_u16(),
        "headers": HEADERS.iter().map(header).collect::<Map<_, _>>(),
        "nonce_length": nonce.map(|nonce| nonce.len()),
    }))
}

/// What django-csp's decorators leave on a response, as a route's own policy.
fn enforced_by_flags(
    flags: &Value,
    suffix: &str,
    settings: Option<DjangoCspSettings>,
    route: RouteCsp,
) -> Result<RouteCsp, Unanswered> {
    let flag = |name: &str| &flags[format!("{name}{suffix}")];
    let changes = [flag("config"), flag("update"), flag("replace")];
    let policy = match flag("exempt") {
        Value::Bool(true) => None,
        _ if changes.iter().all(|change| change.is_null()) => return Ok(route),
        _ => changed(settings, changes)?
            .map_or(Ok(None), |settings| settings.policy())
            .map_err(malformed)?,
    };
    Ok(if suffix.is_empty() { enforced(route, policy) } else { tried(route, policy) })
}

fn enforced(route: RouteCsp, policy: Option<CspPolicy>) -> RouteCsp {
    match policy {
        Some(policy) => route.enforce(policy),
        None => route.danger_exempt(),
    }
}

fn tried(route: RouteCsp, policy: Option<CspPolicy>) -> RouteCsp {
    match policy {
        Some(policy) => route.report_only(policy),
        None => route.exempt_report_only(),
    }
}

/// The response of the described view behind the layer, and its nonce if the view read it.
async fn answered(
    case: &Case,
    policies: CspPolicies,
    route: RouteCsp,
    used: bool,
) -> Result<Seen, Unanswered> {
    let inner = inner(case.field("inner_response"))?;
    let view = service_fn(move |request: Request<Sent>| {
        let nonce = request.extensions().get::<CspNonce>().filter(|_| used).cloned();
        let (status, headers) = inner.clone();
        let route = route.clone();
        async move {
            let mut response = Response::new(Full::default());
            *response.status_mut() = status;
            headers
                .into_iter()
                .for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
            response.extensions_mut().insert(route);
            response.extensions_mut().insert(Printed(nonce.map(|nonce| nonce.read().to_owned())));
            Ok::<_, Infallible>(response)
        }
    });
    let service = CspLayer::new(policies).layer(view);
    let Ok(mut response) = service.oneshot(web::request(case)?).await;
    let printed = response.extensions_mut().remove::<Printed>();
    Ok((response, printed))
}

/// What the view printed into its page: the nonce, if it asked. Tells that it ran.
#[derive(Clone)]
struct Printed(Option<String>);

/// A response, and what the view printed; [`None`] if it did not run.
type Seen = (Response<Full<Bytes>>, Option<Printed>);

type Inner = (StatusCode, Vec<(HeaderName, HeaderValue)>);

fn inner(described: &Value) -> Result<Inner, Unanswered> {
    let status = described["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = StatusCode::from_u16(status.unwrap_or_default()).map_err(malformed)?;
    let header = |pair: &Value| {
        let name = HeaderName::try_from(text(&pair[0], "a header's name")?).map_err(malformed)?;
        Ok((name, HeaderValue::try_from(text(&pair[1], "a header")?).map_err(malformed)?))
    };
    Ok((status, list(&described["headers"]).map(header).collect::<Result<_, _>>()?))
}

fn django(setting: &Value) -> Result<Option<CspPolicy>, Unanswered> {
    CspPolicy::from_django(&mapping(setting)?).map_err(malformed)
}

/// A setting of django-csp; an empty one is none.
fn django_csp(setting: &Value) -> Result<Option<DjangoCspSettings>, Unanswered> {
    if setting.as_object().is_none_or(Map::is_empty) {
        return Ok(None);
    }
    let prefixes = list(&setting["EXCLUDE_URL_PREFIXES"]).filter_map(Value::as_str);
    let settings =
        DjangoCspSettings::new(&mapping(&setting["DIRECTIVES"])?).danger_exclude(prefixes);
    Ok(Some(match setting["REPORT_PERCENTAGE"].as_f64() {
        Some(percentage) => settings.report_percentage(percentage),
        None => settings,
    }))
}

/// Settings after `config`, `update` and `replace`, where they are not null.
fn changed(
    settings: Option<DjangoCspSettings>,
    [config, update, replace]: [&Value; 3],
) -> Result<Option<DjangoCspSettings>, Unanswered> {
    let settings = match config {
        Value::Null => settings,
        config => Some(DjangoCspSettings::exactly(mapping(config)?)),
    };
    let (replace, update) = (mapping(replace)?, mapping(update)?);
    Ok(settings.map(|settings| settings.replace(&replace).update(&update)))
}

fn mapping(setting: &Value) -> Result<DjangoCsp, Unanswered> {
    let directives = setting.as_object().into_iter().flatten();
    let pairs = directives.map(|(name, value)| Ok((name.as_str(), django_value(value)?)));
    Ok(DjangoCsp::new(pairs.collect::<Result<Vec<_>, Unanswered>>()?))
}

fn django_value(value: &Value) -> Result<DjangoValue, Unanswered> {
    let texts = |values: &Value| list(values).map(word).collect::<Result<Vec<_>, _>>();
    Ok(match value {
        Value::Null => DjangoValue::None,
        Value::Bool(true) => DjangoValue::True,
        Value::Bool(false) => DjangoValue::False,
        Value::Array(_) => DjangoValue::List(texts(value)?),
        Value::Object(set) if set.contains_key("$set") => {
            DjangoValue::Set(texts(&value["$set"])?.into_iter().collect())
        }
        value => DjangoValue::Text(word(value)?),
    })
}

/// A text, or django-csp's nonce marker.
fn word(value: &Value) -> Result<String, Unanswered> {
    match &value["$csp"] {
        Value::String(marker) if marker == "NONCE" => Ok(DJANGO_NONCE.to_owned()),
        _ => Ok(text(value, "a value of a policy")?.to_owned()),
    }
}

/// The nonce that a case gives; an empty one is none, as in Python.
fn given_nonce(value: &Value) -> Option<&str> {
    value.as_str().filter(|nonce| !nonce.is_empty())
}

fn written(policy: Option<&CspPolicy>, nonce: Option<&str>) -> Result<String, Unanswered> {
    let Some(policy) = policy else { return Ok(String::new()) };
    policy.header(nonce).to_str().map(str::to_owned).map_err(malformed)
}

fn hidden(policy: &str, nonce: Option<&str>) -> String {
    nonce.map_or_else(|| policy.to_owned(), |nonce| policy.replace(nonce, "{nonce}"))
}

fn sorted(policy: &str) -> Vec<String> {
    let mut directives: Vec<_> =
        policy.split("; ").filter(|one| !one.is_empty()).map(str::to_owned).collect();
    directives.sort();
    directives
}
