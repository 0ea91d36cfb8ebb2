//! Which headers a site sends, prepared when the policy is built.

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::framing::RouteFraming;
use super::permissions::PermissionsPolicy;
use super::token::{EmbedderPolicy, Framing, OpenerPolicy, ReferrerPolicy, ResourcePolicy};

static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
static PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
static ORIGIN_AGENT_CLUSTER: HeaderName = HeaderName::from_static("origin-agent-cluster");
static CROSS_DOMAIN_POLICIES: HeaderName =
    HeaderName::from_static("x-permitted-cross-domain-policies");
static POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");

/// Which headers a site sends, as a parsed value. The default is [`HeadersPolicy::strict`].
///
/// ```
/// use donjon::headers::{HeadersPolicy, OpenerPolicy, ReferrerPolicy};
///
/// let policy = HeadersPolicy::standard()
///     .opener_policy(OpenerPolicy::SameOriginAllowPopups)
///     .referrer_policy([ReferrerPolicy::NoReferrer, ReferrerPolicy::SameOrigin]);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadersPolicy {
    values: Vec<(HeaderName, HeaderValue)>,
    banners: Banners,
}

/// What becomes of headers that tell which software a site runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Banners {
    Removed,
    Kept,
}

impl Default for HeadersPolicy {
    /// [`HeadersPolicy::strict`].
    fn default() -> Self {
        Self::strict()
    }
}

impl HeadersPolicy {
    /// All rules.
    #[must_use]
    pub fn strict() -> Self {
        Self::standard().embedder_policy(EmbedderPolicy::RequireCorp)
    }

    /// All rules but 6: pages may load from other origins what doesn't say that it may be loaded, such
    /// as pictures of a CDN that sends no CORP.
    #[must_use]
    pub fn standard() -> Self {
        let mut policy = Self::django()
            .resource_policy(ResourcePolicy::SameOrigin)
            .permissions_policy(&PermissionsPolicy::powerless())
            .with(&ORIGIN_AGENT_CLUSTER, HeaderValue::from_static("?1"))
            .with(&CROSS_DOMAIN_POLICIES, HeaderValue::from_static("none"));
        policy.banners = Banners::Removed;
        policy
    }

    /// As [`HeadersPolicy::standard`], but pages of all sites may load what this one serves: for files
    /// that are there to be embedded. Framing stays as it is.
    #[must_use]
    pub fn embed() -> Self {
        Self::standard().resource_policy(ResourcePolicy::CrossOrigin)
    }

    /// Rules 1 to 5 and 12: Django's headers and no more.
    #[must_use]
    pub fn django() -> Self {
        Self { values: Vec::new(), banners: Banners::Kept }
            .with(&header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .referrer_policy([ReferrerPolicy::SameOrigin])
            .opener_policy(OpenerPolicy::SameOrigin)
            .framing(Framing::Deny)
    }

    /// Who may show the site in a frame. Django: `X_FRAME_OPTIONS`.
    #[must_use]
    pub fn framing(self, framing: Framing) -> Self {
        self.with(&header::X_FRAME_OPTIONS, HeaderValue::from_static(framing.as_str()))
    }

    /// What browsers tell other sites of the page that a visitor came from; of several they take the
    /// last that they know, and of none they know their own default. Django: `SECURE_REFERRER_POLICY`.
    #[must_use]
    pub fn referrer_policy(self, policies: impl IntoIterator<Item = ReferrerPolicy>) -> Self {
        let words: Vec<_> = policies.into_iter().map(ReferrerPolicy::as_str).collect();
        self.with_text(&header::REFERRER_POLICY, words.join(","))
    }

    /// Which windows stay tied to the site's. Django: `SECURE_CROSS_ORIGIN_OPENER_POLICY`.
    #[must_use]
    pub fn opener_policy(self, policy: OpenerPolicy) -> Self {
        self.with(&OPENER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// What the site's pages may load from other origins.
    #[must_use]
    pub fn embedder_policy(self, policy: EmbedderPolicy) -> Self {
        self.with(&EMBEDDER_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Who may load what the site serves.
    #[must_use]
    pub fn resource_policy(self, policy: ResourcePolicy) -> Self {
        self.with(&RESOURCE_POLICY, HeaderValue::from_static(policy.as_str()))
    }

    /// Which features of a browser the site's pages, and frames in them, may use. An empty policy sends
    /// no header. django-permissions-policy: `PERMISSIONS_POLICY`.
    #[must_use]
    pub fn permissions_policy(self, policy: &PermissionsPolicy) -> Self {
        self.with_text(&PERMISSIONS_POLICY, policy.to_string())
    }

    /// Sends this header with every response that lacks it, whatever it says.
    #[must_use]
    pub fn danger_value(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(&name, value)
    }

    /// Sends no header of this name. Django: the setting is `None` or `False`.
    #[must_use]
    pub fn danger_without(mut self, name: &HeaderName) -> Self {
        self.values.retain(|(known, _)| known != name);
        self
    }

    /// Leaves `Server` and `X-Powered-By` where a handler sets them.
    #[must_use]
    pub fn danger_banners(mut self) -> Self {
        self.banners = Banners::Kept;
        self
    }

    /// What is sent under this name.
    #[must_use]
    pub fn value(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn with(self, name: &HeaderName, value: HeaderValue) -> Self {
        let mut policy = self.danger_without(name);
        policy.values.push((name.clone(), value));
        policy
    }

    /// A value made of words; without any there is no header.
    fn with_text(self, name: &HeaderName, text: String) -> Self {
        match HeaderValue::try_from(text) {
            Ok(value) if !value.is_empty() => self.with(name, value),
            _ => self.danger_without(name),
        }
    }

    /// Takes out what a response should not tell.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        let banner = |name: &HeaderName| *name == header::SERVER || *name == POWERED_BY;
        if self.banners == Banners::Removed && headers.keys().any(banner) {
            headers.remove(header::SERVER);
            headers.remove(&POWERED_BY);
        }
    }

    /// Adds what the response lacks, and takes out what it should not tell.
    pub(crate) fn apply<B>(&self, response: &mut Response<B>) {
        let framing = response.extensions().get::<RouteFraming>().copied();
        if let Some(framing) = framing {
            framing.mark(response);
        }
        let headers = response.headers_mut();
        self.strip(headers);
        let exempt = framing == Some(RouteFraming::Exempt);
        for (name, value) in &self.values {
            if !(exempt && *name == header::X_FRAME_OPTIONS) {
                headers.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn applied(policy: &HeadersPolicy, before: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut response = Response::new(());
        *response.headers_mut() = before
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect();
        policy.apply(&mut response);
        response.headers().clone()
    }

    const DJANGO: [(&str, &str); 4] = [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];

    #[test]
    fn rules_1_to_4_are_djangos_headers_and_all_of_them() {
        let headers = applied(&HeadersPolicy::django(), &[(header::SERVER, "ours")]);
        DJANGO.iter().for_each(|(name, value)| assert_eq!(headers[*name], value));
        assert_eq!((headers.len(), &headers["server"]), (5, &HeaderValue::from_static("ours")));
    }

    #[test]
    fn rules_1_to_10_are_the_default() {
        let headers = applied(&HeadersPolicy::default(), &[]);
        DJANGO.iter().for_each(|(name, value)| assert_eq!(headers[*name], value));
        for (name, value) in [
            ("cross-origin-embedder-policy", "require-corp"),
            ("cross-origin-resource-policy", "same-origin"),
            ("origin-agent-cluster", "?1"),
            ("x-permitted-cross-domain-policies", "none"),
        ] {
            assert_eq!(headers[name], value);
        }
        let permissions = headers["permissions-policy"].to_str().unwrap();
        assert!(permissions.contains("camera=(), "), "{permissions}");
        assert_eq!(headers.len(), 9);
    }

    #[test]
    fn rule_5_what_a_handler_set_stays() {
        for policy in [HeadersPolicy::django(), HeadersPolicy::strict()] {
            let names = policy.values.iter().map(|(name, _)| (name.clone(), "its own"));
            let own: Vec<_> = names.collect();
            let headers = applied(&policy, &own);
            assert_eq!(headers.len(), own.len());
            assert!(headers.values().all(|value| value == "its own"), "{headers:?}");
        }
    }

    #[test]
    fn rules_6_and_7_are_what_the_presets_differ_in() {
        let value = |policy: HeadersPolicy, name| {
            policy.value(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(value(HeadersPolicy::standard(), &EMBEDDER_POLICY), None);
        assert_eq!(value(HeadersPolicy::embed(), &EMBEDDER_POLICY), None);
        let resources = value(HeadersPolicy::embed(), &RESOURCE_POLICY);
        assert_eq!(resources.as_deref(), Some("cross-origin"));
        assert_eq!(value(HeadersPolicy::django(), &RESOURCE_POLICY), None);
    }

    #[test]
    fn rule_11_banners_go_whoever_set_them() {
        let banners = [(header::SERVER, "nginx/1.0"), (POWERED_BY.clone(), "PHP/5.2")];
        let headers = applied(&HeadersPolicy::strict(), &banners);
        assert!(!headers.contains_key("server") && !headers.contains_key("x-powered-by"));
        let headers = applied(&HeadersPolicy::strict().danger_banners(), &banners);
        assert!(headers.contains_key("server") && headers.contains_key("x-powered-by"));
    }

    #[test]
    fn rule_12_a_route_has_its_own_word_on_frames() {
        let framed = |words: &[RouteFraming]| {
            let mut response = Response::new(());
            words.iter().for_each(|word| word.mark(&mut response));
            HeadersPolicy::strict().apply(&mut response);
            response.headers().get("x-frame-options").cloned()
        };
        use RouteFraming::{Deny, Exempt, SameOrigin};
        for (words, value) in [
            (&[][..], Some("DENY")),
            (&[SameOrigin], Some("SAMEORIGIN")),
            (&[Exempt], None),
            // As with Django's decorators the innermost header stays, and a header beats an exemption.
            (&[SameOrigin, Deny], Some("SAMEORIGIN")),
            (&[Exempt, Deny], Some("DENY")),
            (&[SameOrigin, Exempt], Some("SAMEORIGIN")),
        ] {
            assert_eq!(framed(words), value.map(HeaderValue::from_static), "{words:?}");
        }
    }

    #[test]
    fn rule_12_the_word_itself_is_enough() {
        let mut response = Response::new(());
        response.extensions_mut().insert(RouteFraming::SameOrigin);
        HeadersPolicy::strict().apply(&mut response);
        assert_eq!(response.headers()["x-frame-options"], "SAMEORIGIN");
    }

    #[test]
    fn a_policy_can_be_changed() {
        let policy = HeadersPolicy::default()
            .framing(Framing::SameOrigin)
            .referrer_policy([ReferrerPolicy::NoReferrer, ReferrerPolicy::SameOrigin])
            .permissions_policy(&PermissionsPolicy::default())
            .danger_without(&OPENER_POLICY);
        let headers = applied(&policy, &[]);
        assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
        assert_eq!(headers["referrer-policy"], "no-referrer,same-origin");
        for gone in [&OPENER_POLICY, &PERMISSIONS_POLICY] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
        let policy = policy.referrer_policy([]);
        assert_eq!(policy.value(&header::REFERRER_POLICY), None);
    }
}
