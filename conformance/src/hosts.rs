//! The host questions of `security_headers.jsonl.gz`, and of `urls.jsonl.gz` what asks whether a host
//! is one's own and how an address is escaped.

use donjon_core::host::{is_same_domain, split_host};
use donjon_core::origin::Site;
use donjon_core::url::{
    Scheme, escape_leading_slashes, escape_uri_path, iri_to_uri, is_safe_redirect,
};
use serde_json::{Value, json};

use crate::case::{Answer, Case, FAILED, Unanswered, list};
use crate::web;

/// Answers a case of kind `host`.
///
/// # Errors
/// [`Unanswered`].
pub fn host(case: &Case) -> Answer {
    match case.text("op")? {
        "get_host" => Ok(match site(case)?.host() {
            Ok(host) => json!({"host": host.as_str()}),
            Err(_) => json!({"error": FAILED, "message": case.expect()["message"]}),
        }),
        "get_port" => Ok(json!({"port": site(case)?.port()})),
        "scheme" => {
            let scheme = site(case)?.scheme();
            Ok(json!({"scheme": scheme.as_str(), "secure": scheme == Scheme::Https}))
        }
        "absolute_uri" => absolute_uri(case),
        "split_domain_port" => {
            let (domain, port) = split_host(case.text("host")?);
            Ok(json!({"domain": domain, "port": port}))
        }
        "validate_host" => {
            let host = case.text("host")?;
            let matches = |pattern: &str| pattern == "*" || is_same_domain(host, pattern);
            let mut patterns = list(case.field("allowed_hosts")).filter_map(Value::as_str);
            Ok(json!({"valid": patterns.any(matches)}))
        }
        other => Err(Unanswered::NotBuilt(format!("op {other}"))),
    }
}

fn site(case: &Case) -> Result<Site, Unanswered> {
    let described = case.field("request");
    let (headers, connection) = (web::headers(described)?, web::connection(described)?);
    Ok(web::site(case)?.resolve(&headers, None, Some(&connection)))
}

fn absolute_uri(case: &Case) -> Answer {
    let (site, page) = (site(case)?, web::target(case.field("request"))?);
    let failed = || json!({"error": FAILED});
    let uri = match case.field("location").as_str() {
        Some(location) => site.absolute_uri(&page, location).ok(),
        None => site.page_uri(&page).ok(),
    };
    Ok(uri.map_or_else(failed, |uri| json!({"uri": uri})))
}

/// Answers a case of kind `iri_to_uri`.
///
/// # Errors
/// [`Unanswered`].
pub fn iri(case: &Case) -> Answer {
    Ok(json!({"uri": iri_to_uri(case.text("iri")?)}))
}

/// Answers a case of kind `escape_uri_path`.
///
/// # Errors
/// [`Unanswered`].
pub fn uri_path(case: &Case) -> Answer {
    Ok(json!({"path": escape_uri_path(case.text("path")?)}))
}

/// Answers a case of kind `escape_leading_slashes`.
///
/// # Errors
/// [`Unanswered`].
pub fn leading_slashes(case: &Case) -> Answer {
    Ok(json!({"url": escape_leading_slashes(case.text("url")?)}))
}

/// Answers a case of kind `is_same_domain`.
///
/// # Errors
/// [`Unanswered`].
pub fn same_domain(case: &Case) -> Answer {
    Ok(json!({"same": is_same_domain(case.text("host")?, case.text("pattern")?)}))
}

/// Answers a case of kind `url_has_allowed_host_and_scheme`.
///
/// # Errors
/// [`Unanswered`].
pub fn redirect(case: &Case) -> Answer {
    let scheme = match case.field("require_https") {
        Value::Bool(true) => Scheme::Https,
        _ => Scheme::Http,
    };
    let hosts = match case.field("allowed_hosts") {
        Value::Object(set) => set.get("$set").unwrap_or(&Value::Null),
        hosts => hosts,
    };
    let hosts: Vec<_> =
        hosts.as_str().into_iter().chain(list(hosts).filter_map(Value::as_str)).collect();
    // No URL at all leads nowhere.
    let url = case.field("url").as_str().unwrap_or_default();
    Ok(json!({"allowed": is_safe_redirect(url, &hosts, scheme)}))
}
