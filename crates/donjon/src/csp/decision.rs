//! What a response is sent with.

use donjon_core::entropy;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};

use super::builder::CspErrors;
use super::django::DjangoCspSettings;
use super::nonce::{CspNonce, NonceAlphabet, NonceCell};
use super::policy::CspPolicy;

static REPORTING_ENDPOINTS: HeaderName = HeaderName::from_static("reporting-endpoints");

/// What a site sends: a policy that is enforced, one that is only reported, or both. They know
/// nothing of each other.
#[derive(Clone, Debug, PartialEq)]
pub struct CspPolicies {
    enforced: Option<Sent>,
    report_only: Option<Sent>,
    alphabet: NonceAlphabet,
    errors: OnErrors,
}

/// A policy, and which responses get it.
#[derive(Clone, Debug, PartialEq)]
struct Sent {
    policy: CspPolicy,
    /// Paths that begin so have none.
    excluded: Vec<String>,
    /// The policy of responses that are not asked to report, and the share that is.
    quiet: Option<(f64, CspPolicy)>,
}

/// Do 404 and 500 have a policy?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnErrors {
    Sent,
    Missing,
}

impl Sent {
    fn new(policy: CspPolicy) -> Self {
        Self { policy, excluded: Vec::new(), quiet: None }
    }

    fn by_django_csp(settings: &DjangoCspSettings) -> Result<Option<Self>, CspErrors> {
        let Some(policy) = settings.policy()? else { return Ok(None) };
        let quiet = match settings.percentage < 100.0 {
            true => settings.quiet()?.map(|quiet| (settings.percentage, quiet)),
            false => None,
        };
        Ok(Some(Self { policy, excluded: settings.excluded.clone(), quiet }))
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.excluded.iter().any(|prefix| path.starts_with(prefix))
    }

    fn draw(&self, lot: fn() -> f64) -> &CspPolicy {
        match &self.quiet {
            Some((share, quiet)) if lot() >= *share => quiet,
            _ => &self.policy,
        }
    }
}

/// A random number from 0 to below 100.
fn percent() -> f64 {
    f64::from(u32::from_le_bytes(entropy::bytes())) / (f64::from(u32::MAX) + 1.0) * 100.0
}

impl From<CspPolicy> for CspPolicies {
    fn from(policy: CspPolicy) -> Self {
        Self::enforce(policy)
    }
}

impl Default for CspPolicies {
    /// [`CspPolicy::strict`], enforced.
    fn default() -> Self {
        Self::enforce(CspPolicy::strict())
    }
}

impl CspPolicies {
    /// This policy is enforced. Django: `SECURE_CSP`.
    #[must_use]
    pub fn enforce(policy: CspPolicy) -> Self {
        Self { enforced: Some(Sent::new(policy)), ..Self::danger_none() }
    }

    /// This policy is tried: browsers report what it would refuse, and refuse nothing. Django:
    /// `SECURE_CSP_REPORT_ONLY`.
    #[must_use]
    pub fn report_only(mut self, policy: CspPolicy) -> Self {
        self.report_only = Some(Sent::new(policy));
        self
    }

    /// No policy: browsers run whatever is in a page. For a site that tries its first policy:
    /// `CspPolicies::danger_none().report_only(…)`.
    #[must_use]
    pub fn danger_none() -> Self {
        Self {
            enforced: None,
            report_only: None,
            alphabet: NonceAlphabet::default(),
            errors: OnErrors::Sent,
        }
    }

    /// The policies of a site that has django-csp's settings: as it does, with its nonce of 24
    /// characters.
    ///
    /// # Errors
    /// [`CspErrors`] for text that no header can hold.
    pub fn from_django_csp(
        enforced: Option<&DjangoCspSettings>,
        report_only: Option<&DjangoCspSettings>,
    ) -> Result<Self, CspErrors> {
        let sent =
            |settings: Option<&DjangoCspSettings>| settings.map_or(Ok(None), Sent::by_django_csp);
        Ok(Self {
            enforced: sent(enforced)?,
            report_only: sent(report_only)?,
            alphabet: NonceAlphabet::Padded,
            errors: OnErrors::Sent,
        })
    }

    /// Answers of status 404 and 500 have no policy. django-csp while `DEBUG` is on, for Django's own
    /// error pages.
    #[must_use]
    pub fn danger_without_on_errors(mut self) -> Self {
        self.errors = OnErrors::Missing;
        self
    }

    /// The same with this policy enforced, or none.
    pub(crate) fn enforcing(self, policy: Option<CspPolicy>) -> Self {
        Self { enforced: policy.map(Sent::new), ..self }
    }

    /// The same with this policy tried, or none.
    pub(crate) fn trying(self, policy: Option<CspPolicy>) -> Self {
        Self { report_only: policy.map(Sent::new), ..self }
    }

    /// The policy that is enforced.
    #[must_use]
    pub fn enforced_policy(&self) -> Option<&CspPolicy> {
        self.enforced.as_ref().map(|sent| &sent.policy)
    }

    /// The policy that is only reported.
    #[must_use]
    pub fn report_only_policy(&self) -> Option<&CspPolicy> {
        self.report_only.as_ref().map(|sent| &sent.policy)
    }

    /// A nonce for a request, which nobody has read yet.
    pub(crate) fn nonce(&self) -> CspNonce {
        CspNonce::new(self.alphabet)
    }

    /// A nonce for a request, for whoever holds it.
    pub(crate) fn nonce_cell(&self) -> NonceCell {
        NonceCell::new(self.alphabet)
    }

    /// Have all responses the same policies, but for nonces and their own word?
    pub(crate) fn is_uniform(&self) -> bool {
        let uniform = |sent: &Sent| sent.excluded.is_empty() && sent.quiet.is_none();
        let policies = [&self.enforced, &self.report_only];
        self.errors == OnErrors::Sent && policies.into_iter().flatten().all(uniform)
    }

    /// Which policies a path has none of.
    pub(crate) fn exclusion(&self, path: &str) -> Exclusion {
        let excluded =
            |sent: &Option<Sent>| sent.as_ref().is_some_and(|sent| sent.is_excluded(path));
        Exclusion { enforced: excluded(&self.enforced), report_only: excluded(&self.report_only) }
    }

    /// Adds the policies to a response, with the nonce if somebody has read it.
    pub(crate) fn apply<B>(
        &self,
        exclusion: Exclusion,
        nonce: Option<&str>,
        response: &mut Response<B>,
    ) {
        let route = response.extensions_mut().remove::<RouteCsp>();
        let decision = decide(self, exclusion, response.status(), route.as_ref(), percent);
        decision.apply(nonce, response.headers_mut());
    }
}

/// Which policies a request's path has none of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exclusion {
    enforced: bool,
    report_only: bool,
}

/// What one route, or one response, has instead of the site's policies: the layer
/// [`RouteCspLayer`](super::RouteCspLayer) says it, or a handler in its response's extensions.
///
/// For a policy that differs in a little, begin with the site's: [`CspPolicy::update`].
///
/// ```
/// use donjon::csp::{CspPolicy, Directive, RouteCsp, Source};
///
/// let site = CspPolicy::strict();
/// let maps = Source::origin("https://maps.example")?;
/// let route = RouteCsp::default().enforce(site.update().allow(Directive::Frame, maps).build()?);
/// # let _ = route;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCsp {
    enforced: Change,
    report_only: Change,
}

/// What becomes of one of the site's policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Change {
    #[default]
    Kept,
    Exempt,
    Replaced(CspPolicy),
}

impl RouteCsp {
    /// Enforces this policy in place of the site's. Django: `csp_override`; django-csp: `csp`.
    #[must_use]
    pub fn enforce(mut self, policy: CspPolicy) -> Self {
        self.enforced = Change::Replaced(policy);
        self
    }

    /// Tries this policy in place of the site's. Django: `csp_report_only_override`.
    #[must_use]
    pub fn report_only(mut self, policy: CspPolicy) -> Self {
        self.report_only = Change::Replaced(policy);
        self
    }

    /// Enforces no policy. Django: `csp_override({})`; django-csp: `csp_exempt`.
    #[must_use]
    pub fn danger_exempt(mut self) -> Self {
        self.enforced = Change::Exempt;
        self
    }

    /// Tries no policy. Django: `csp_report_only_override({})`; django-csp: `csp_exempt(REPORT_ONLY=True)`.
    #[must_use]
    pub fn exempt_report_only(mut self) -> Self {
        self.report_only = Change::Exempt;
        self
    }

    /// Is the route free of the policy that the site enforces?
    #[must_use]
    pub fn is_exempt(&self) -> bool {
        self.enforced == Change::Exempt
    }

    /// The policy that the route has of its own.
    #[must_use]
    pub fn enforced_policy(&self) -> Option<&CspPolicy> {
        match &self.enforced {
            Change::Replaced(policy) => Some(policy),
            Change::Kept | Change::Exempt => None,
        }
    }
}

/// The policies of one response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision<'p> {
    enforced: Option<&'p CspPolicy>,
    report_only: Option<&'p CspPolicy>,
}

/// Which policies a response has: rules 5 and 8. The lot, from 0 to below 100, is drawn only where a
/// share of the responses reports.
pub(crate) fn decide<'p>(
    policies: &'p CspPolicies,
    exclusion: Exclusion,
    status: StatusCode,
    route: Option<&'p RouteCsp>,
    lot: fn() -> f64,
) -> Decision<'p> {
    let error = [StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR].contains(&status);
    if error && policies.errors == OnErrors::Missing {
        return Decision { enforced: None, report_only: None };
    }
    let (enforced, report_only) = match route {
        Some(route) => (&route.enforced, &route.report_only),
        None => (&Change::Kept, &Change::Kept),
    };
    Decision {
        enforced: chosen(policies.enforced.as_ref(), exclusion.enforced, enforced, lot),
        report_only: chosen(policies.report_only.as_ref(), exclusion.report_only, report_only, lot),
    }
}

fn chosen<'p>(
    site: Option<&'p Sent>,
    excluded: bool,
    change: &'p Change,
    lot: fn() -> f64,
) -> Option<&'p CspPolicy> {
    match change {
        _ if excluded => None,
        Change::Exempt => None,
        Change::Replaced(policy) => Some(policy),
        Change::Kept => site.map(|sent| sent.draw(lot)),
    }
}

impl Decision<'_> {
    fn apply(self, nonce: Option<&str>, headers: &mut HeaderMap) {
        let endpoints = |policy: Option<&CspPolicy>| {
            policy.and_then(|policy| policy.reporting_endpoints().cloned())
        };
        add(headers, &header::CONTENT_SECURITY_POLICY, self.enforced, nonce);
        add(headers, &header::CONTENT_SECURITY_POLICY_REPORT_ONLY, self.report_only, nonce);
        let (first, second) = (endpoints(self.enforced), endpoints(self.report_only));
        if headers.contains_key(&REPORTING_ENDPOINTS) {
            return;
        }
        let second = second.filter(|second| Some(second) != first.as_ref());
        for value in [first, second].into_iter().flatten() {
            headers.append(&REPORTING_ENDPOINTS, value);
        }
    }
}

fn add(
    headers: &mut HeaderMap,
    name: &'static HeaderName,
    policy: Option<&CspPolicy>,
    nonce: Option<&str>,
) {
    if let Some(policy) = policy {
        headers.entry(name).or_insert_with(|| policy.header(nonce));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::django::DjangoCsp;
    use super::*;

    fn own(address: &str) -> CspPolicy {
        CspPolicy::strict().update().report_to("csp", address).build().unwrap()
    }

    fn headers(policies: &CspPolicies, route: Option<RouteCsp>) -> HeaderMap {
        let mut response = Response::new(());
        route.and_then(|route| response.extensions_mut().insert(route));
        policies.apply(Exclusion::default(), None, &mut response);
        response.headers().clone()
    }

    #[test]
    fn rule_5_the_two_policies_know_nothing_of_each_other() {
        let (strict, other) = (CspPolicy::strict(), CspPolicy::strict_dynamic());
        let both = CspPolicies::enforce(strict.clone()).report_only(other.clone());
        let (kept, exempt) = (RouteCsp::default(), RouteCsp::default().danger_exempt());
        let quiet = RouteCsp::default().exempt_report_only();
        let swapped = RouteCsp::default().enforce(other.clone()).report_only(strict.clone());
        for (route, enforced, report_only) in [
            (None, Some(&strict), Some(&other)),
            (Some(&kept), Some(&strict), Some(&other)),
            (Some(&exempt), None, Some(&other)),
            (Some(&quiet), Some(&strict), None),
            (Some(&swapped), Some(&other), Some(&strict)),
        ] {
            let decision = decide(&both, Exclusion::default(), StatusCode::OK, route, percent);
            assert_eq!(decision, Decision { enforced, report_only }, "{route:?}");
        }
    }

    #[test]
    fn rule_5_a_route_has_a_policy_where_the_site_has_none() {
        let route = RouteCsp::default().enforce(CspPolicy::strict());
        let headers = headers(&CspPolicies::danger_none(), Some(route));
        assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }

    #[test]
    fn rule_6_headers_of_the_response_stay() {
        let policies = CspPolicies::from(own("/csp/"));
        for name in [&header::CONTENT_SECURITY_POLICY, &REPORTING_ENDPOINTS] {
            let mut response = Response::new(());
            response.headers_mut().insert(name, HeaderValue::from_static("mine"));
            policies.apply(Exclusion::default(), None, &mut response);
            assert_eq!(response.headers()[name], "mine");
        }
    }

    #[test]
    fn rule_6_endpoints_go_with_their_policies() {
        let shown = |policies: &CspPolicies| {
            let headers = headers(policies, None);
            let values = headers.get_all(&REPORTING_ENDPOINTS);
            values.iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let site = CspPolicies::from(own("/csp/"));
        assert_eq!(shown(&site), ["csp=\"/csp/\""]);
        assert_eq!(shown(&site.clone().report_only(own("/csp/"))), ["csp=\"/csp/\""]);
        assert_eq!(shown(&site.report_only(own("/ro/"))), ["csp=\"/csp/\"", "csp=\"/ro/\""]);
        assert!(shown(&CspPolicies::default()).is_empty());
    }

    #[test]
    fn rule_8_prefixes_errors_and_percentage() {
        let directives = DjangoCsp::new([("report-uri", "/r".into())]);
        let settings = DjangoCspSettings::new(&directives).danger_exclude(["/open"]);
        let with = |settings: &DjangoCspSettings| {
            CspPolicies::from_django_csp(Some(settings), None).unwrap()
        };
        let policies = with(&settings);
        let enforced = |path, status| {
            decide(&policies, policies.exclusion(path), status, None, percent).enforced.is_some()
        };
        assert!(enforced("/", StatusCode::OK) && !enforced("/open/x", StatusCode::OK));
        assert!(enforced("/", StatusCode::NOT_FOUND));
        let debug = policies.clone().danger_without_on_errors();
        for (status, sent) in [(404, false), (500, false), (403, true), (200, true)] {
            let status = StatusCode::from_u16(status).unwrap();
            let decision = decide(&debug, Exclusion::default(), status, None, percent);
            assert_eq!(decision.enforced.is_some(), sent, "{status}");
        }
        for (percentage, expected) in [(0.0, 0..=0), (100.0, 1000..=1000), (50.0, 350..=650)] {
            let policies = with(&settings.clone().report_percentage(percentage));
            let reports = |_: &i32| {
                let decision =
                    decide(&policies, Exclusion::default(), StatusCode::OK, None, percent);
                decision.enforced.is_some_and(CspPolicy::reports)
            };
            let count = (0..1000).filter(reports).count();
            assert!(expected.contains(&count), "{percentage}: {count}");
        }
    }
}
