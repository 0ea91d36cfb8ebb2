//! What a request is to CORS: pure, without I/O.

use http::{HeaderMap, HeaderValue, Method, header};

use super::policy::{CorsPolicy, Credentials};

/// What is to become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Is it a preflight, to be answered here?
    pub preflight: Preflight,
    /// The headers that the answer gets besides `Vary`; none if the origin is not allowed.
    pub headers: Vec<(header::HeaderName, HeaderValue)>,
}

/// Is a request a preflight?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preflight {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// Rules 1, 2 and 4.
#[must_use]
pub fn decide(policy: &CorsPolicy, method: &Method, headers: &HeaderMap) -> Decision {
    let options = method == Method::OPTIONS;
    let preflight = options && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    Decision {
        preflight: if preflight { Preflight::Yes } else { Preflight::No },
        headers: match headers.get(header::ORIGIN) {
            Some(origin) if policy.origins.contains(origin) => allowed(policy, origin, method),
            _ => Vec::new(),
        },
    }
}

fn allowed(
    policy: &CorsPolicy,
    origin: &HeaderValue,
    method: &Method,
) -> Vec<(header::HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(6);
    headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
    if policy.credentials == Credentials::Allowed {
        headers.push((header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true")));
    }
    headers
        .extend(policy.expose.clone().map(|names| (header::ACCESS_CONTROL_EXPOSE_HEADERS, names)));
    if method == Method::OPTIONS {
        headers.extend([
            (header::ACCESS_CONTROL_ALLOW_HEADERS, policy.headers.clone()),
            (header::ACCESS_CONTROL_ALLOW_METHODS, policy.methods.clone()),
            (header::ACCESS_CONTROL_MAX_AGE, policy.max_age.clone()),
        ]);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(method: Method, pairs: &[(header::HeaderName, &'static str)]) -> Decision {
        let policy = CorsPolicy::new(["https://app.example"]).unwrap().allow_credentials();
        let headers =
            pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        decide(&policy, &method, &headers.collect())
    }

    #[test]
    fn rule_1_origins_are_compared_letter_by_letter() {
        for origin in [
            "https://app.example.evil",
            "https://evil-app.example",
            "https://app.example:444",
            "HTTPS://APP.EXAMPLE",
            "https://app.example/",
            "http://app.example",
            "null",
        ] {
            assert!(
                decision(Method::GET, &[(header::ORIGIN, origin)]).headers.is_empty(),
                "{origin}"
            );
        }
        let allowed = decision(Method::GET, &[(header::ORIGIN, "https://app.example")]);
        assert_eq!(allowed.headers.len(), 2);
        assert_eq!(allowed.preflight, Preflight::No);
    }

    #[test]
    fn rule_2_a_preflight_is_told_apart() {
        let asked = (header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        let origin = (header::ORIGIN, "https://app.example");
        assert_eq!(
            decision(Method::OPTIONS, std::slice::from_ref(&asked)).preflight,
            Preflight::Yes
        );
        assert_eq!(decision(Method::POST, std::slice::from_ref(&asked)).preflight, Preflight::No);
        assert_eq!(
            decision(Method::OPTIONS, std::slice::from_ref(&origin)).preflight,
            Preflight::No
        );
        assert_eq!(decision(Method::OPTIONS, &[origin, asked]).headers.len(), 5);
    }
}
