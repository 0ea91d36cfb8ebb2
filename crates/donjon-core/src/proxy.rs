//! Which proxies are the site's own, and what they may tell of a request.
//!
//! Stops: clients that make up their own address (and so reset a limiter or frame somebody else), a
//! scheme or a host; and requests that two readers would take for two different ones.
//!
//! 1. A proxy is the site's own if its address is in a network that was named
//!    ([`TrustedProxies::network`]), or if it is among the last hops ([`TrustedProxies::hops`]). From
//!    any other peer nothing is read.
//! 2. The list of addresses is walked from the right, the end that the nearest proxy wrote. The first
//!    address that is not the site's own is the client; what stands left of it, the client made up,
//!    and it is not looked at.
//! 3. One family of headers counts, `X-Forwarded-*` unless [`ForwardedHeader`] says otherwise. The
//!    other must not contradict it.
//! 4. What can be read in two ways is [`Ambiguous`], and the request is refused: a header that is
//!    there twice, an entry that is no address where one is needed, several schemes or hosts, fewer
//!    entries than hops, more than [`MAX_ENTRIES`].
//! 5. A name with underscores (`X_Forwarded_Proto`) is not the name with hyphens.
//!
//! Spec: RFC 7239; MDN's and AWS's descriptions of `X-Forwarded-*`, which has no standard.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::url::Scheme;

/// The most entries of a list of addresses that are looked at: a longer way is none.
pub const MAX_ENTRIES: usize = 32;

const FOR: &str = "x-forwarded-for";
const PROTO: &str = "x-forwarded-proto";
const HOST: &str = "x-forwarded-host";
const PORT: &str = "x-forwarded-port";

pub(crate) static FORWARDED_PROTO: HeaderName = HeaderName::from_static(PROTO);
pub(crate) static FORWARDED_HOST: HeaderName = HeaderName::from_static(HOST);
pub(crate) static FORWARDED_PORT: HeaderName = HeaderName::from_static(PORT);

/// In which headers the site's proxies tell what they know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, which most proxies write.
    #[default]
    XForwarded,
    /// `Forwarded`, the standard (RFC 7239).
    Rfc7239,
}

/// The site's own proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    hops: u8,
    header: ForwardedHeader,
}

/// Why the word of a trusted proxy can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ambiguous {
    /// A header of the family is there more than once.
    Repeated,
    /// An entry is no address, scheme, host or port, or is not written as it should be.
    Unreadable,
    /// An address is needed, and the proxy hides it (`unknown`, `_name`).
    Hidden,
    /// The entries of one header, or `Forwarded` and `X-Forwarded-*`, say different things.
    Contradiction,
    /// There are fewer entries than the hops that were named.
    TooFew,
    /// There are more than [`MAX_ENTRIES`] entries.
    TooMany,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => {
                "a forwarded header is there more than once: let the outermost proxy set it, not add to it"
            }
            Self::Unreadable => "a forwarded header has an entry that can't be read",
            Self::Hidden => "the client's address is hidden in a forwarded header",
            Self::Contradiction => {
                "forwarded headers contradict each other: let the outermost proxy set them, not add to them, and \
                 remove those that the site does not read"
            }
            Self::TooFew => {
                "X-Forwarded-For has fewer entries than hops were named: the request did not come by way of the proxies"
            }
            Self::TooMany => "a forwarded header has too many entries",
        })
    }
}

impl std::error::Error for Ambiguous {}

/// What a family of headers says of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told<'h> {
    pub(crate) client: Option<IpAddr>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) host: Option<&'h str>,
    pub(crate) port: Option<u16>,
}

impl Told<'_> {
    fn contradicts(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        differ(self.client, other.client)
            || differ(self.scheme, other.scheme)
            || differ(self.host, other.host)
    }
}

impl TrustedProxies {
    /// Nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The proxies of this network, besides those that are named already.
    #[must_use]
    pub fn network(mut self, network: IpNet) -> Self {
        self.networks.push(network);
        self
    }

    /// The last so many hops, whatever their address.
    #[must_use]
    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// The headers that count.
    #[must_use]
    pub fn header(mut self, header: ForwardedHeader) -> Self {
        self.header = header;
        self
    }

    /// Is nobody trusted?
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.networks.is_empty() && self.hops == 0
    }

    /// The networks that were named.
    #[must_use]
    pub fn trusted_networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// How many hops are believed, whoever they are.
    #[must_use]
    pub fn trusted_hops(&self) -> u8 {
        self.hops
    }

    /// Is whoever connects trusted: by number of hops, or by a network that is all of the internet?
    #[must_use]
    pub fn trusts_any_peer(&self) -> bool {
        self.hops > 0 || self.networks.iter().any(|network| network.prefix_len() == 0)
    }

    /// Is the address, so many hops before the site, one of the site's own? Rule 1.
    fn trusts(&self, address: IpAddr, hop: usize) -> bool {
        hop < usize::from(self.hops)
            || self.networks.iter().any(|network| network.contains(&address))
    }

    /// What a request's headers say; `None` of a peer that is not trusted.
    pub(crate) fn told<'h>(
        &self,
        headers: &'h HeaderMap,
        peer: IpAddr,
    ) -> Result<Option<Told<'h>>, Ambiguous> {
        if !self.trusts(peer.to_canonical(), 0) {
            return Ok(None);
        }
        let sent = Sent::of(headers);
        let (told, other) = match self.header {
            ForwardedHeader::XForwarded => {
                (self.x_forwarded(&sent, peer)?, self.rfc7239(&sent, peer)?)
            }
            ForwardedHeader::Rfc7239 => {
                (self.rfc7239(&sent, peer)?, self.x_forwarded(&sent, peer)?)
            }
        };
        if told.contradicts(&other) { Err(Ambiguous::Contradiction) } else { Ok(Some(told)) }
    }

    fn x_forwarded<'h>(&self, sent: &Sent<'h>, peer: IpAddr) -> Result<Told<'h>, Ambiguous> {
        let route = sent.client.one()?;
        let client = route.map(|list| self.client(peer, entries(list)?, Ok)).transpose()?;
        Ok(Told {
            client: client.map(|(client, _)| client),
            scheme: sent.scheme.agreed()?.map(scheme).transpose()?,
            host: sent.host.agreed()?,
            port: sent.port.agreed()?.map(port).transpose()?,
        })
    }

    fn rfc7239<'h>(&self, sent: &Sent<'h>, peer: IpAddr) -> Result<Told<'h>, Ambiguous> {
        let Some(list) = sent.standard.one()? else { return Ok(Told::default()) };
        let node = |element| Element::parse(element)?.node.ok_or(Ambiguous::Hidden);
        let (client, element) = self.client(peer, entries(list)?, node)?;
        let element = Element::parse(element)?;
        let scheme = element.proto.map(scheme).transpose()?;
        Ok(Told { client: Some(client), scheme, host: element.host, port: None })
    }

    /// Rule 2: the client, and the entry that names it.
    fn client<'h>(
        &self,
        peer: IpAddr,
        mut entries: impl Iterator<Item = &'h str>,
        node: impl Fn(&'h str) -> Result<&'h str, Ambiguous>,
    ) -> Result<(IpAddr, &'h str), Ambiguous> {
        let mut found = Ok(peer.to_canonical());
        let mut named = "";
        for hop in 0.. {
            // Of a proxy that is trusted for its place the address does not matter.
            let by_place = hop < usize::from(self.hops);
            if !by_place && !self.trusts(found?, hop) {
                break;
            }
            match entries.next() {
                Some(entry) => (named, found) = (entry, node(entry).and_then(address)),
                None if by_place => return Err(Ambiguous::TooFew),
                None => break,
            }
        }
        Ok((found?, named))
    }
}

/// The headers of both families: found in one walk, for to look for each takes longer.
#[derive(Default)]
struct Sent<'h> {
    client: Values<'h>,
    scheme: Values<'h>,
    host: Values<'h>,
    port: Values<'h>,
    standard: Values<'h>,
}

impl<'h> Sent<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        let mut sent = Self::default();
        for (name, value) in headers {
            if let Some(values) = sent.named(name.as_str()) {
                values.add(value);
            }
        }
        sent
    }

    fn named(&mut self, name: &str) -> Option<&mut Values<'h>> {
        match name {
            FOR => Some(&mut self.client),
            PROTO => Some(&mut self.scheme),
            HOST => Some(&mut self.host),
            PORT => Some(&mut self.port),
            "forwarded" => Some(&mut self.standard),
            _ => None,
        }
    }
}

/// The values of a header.
#[derive(Default)]
enum Values<'h> {
    #[default]
    None,
    One(&'h HeaderValue),
    Several,
}

impl<'h> Values<'h> {
    fn add(&mut self, value: &'h HeaderValue) {
        *self = match self {
            Self::None => Self::One(value),
            Self::One(_) | Self::Several => Self::Several,
        };
    }

    /// The one value.
    fn one(&self) -> Result<Option<&'h str>, Ambiguous> {
        match self {
            Self::None => Ok(None),
            Self::One(value) => value.to_str().map(Some).map_err(|_| Ambiguous::Unreadable),
            Self::Several => Err(Ambiguous::Repeated),
        }
    }

    /// The one thing that all entries say: proxies in a row that add to a header where they should set
    /// it can't be told from a client that began the list.
    fn agreed(&self) -> Result<Option<&'h str>, Ambiguous> {
        let Some(list) = self.one()? else { return Ok(None) };
        let mut entries = entries(list)?;
        let first = entries.next();
        let all = entries.all(|entry| Some(entry) == first);
        if all { Ok(first) } else { Err(Ambiguous::Contradiction) }
    }
}

/// The entries of a list, the last one first.
///
/// A quoted comma is not minded, since no address, host or scheme has one: so a client that opens a
/// quotation can't swallow what a proxy adds.
fn entries(list: &str) -> Result<impl Iterator<Item = &str>, Ambiguous> {
    let entries = list.rsplit(',').map(str::trim_ascii);
    if entries.clone().count() > MAX_ENTRIES { Err(Ambiguous::TooMany) } else { Ok(entries) }
}

/// An address, with a port or without: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(node: &str) -> Result<IpAddr, Ambiguous> {
    if node.starts_with('_') || node.eq_ignore_ascii_case("unknown") {
        return Err(Ambiguous::Hidden);
    }
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let with_port = || node.parse().map(|address: SocketAddr| address.ip());
    let address: IpAddr =
        bare.parse().or_else(|_| with_port()).map_err(|_| Ambiguous::Unreadable)?;
    Ok(address.to_canonical())
}

/// A scheme; that of a WebSocket is how some proxies call the one below it.
fn scheme(name: &str) -> Result<Scheme, Ambiguous> {
    let is = |names: [&str; 2]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    match name {
        _ if is(["https", "wss"]) => Ok(Scheme::Https),
        _ if is(["http", "ws"]) => Ok(Scheme::Http),
        _ => Err(Ambiguous::Unreadable),
    }
}

fn port(digits: &str) -> Result<u16, Ambiguous> {
    let signed = digits.starts_with('+');
    digits.parse().ok().filter(|_| !signed).ok_or(Ambiguous::Unreadable)
}

/// An element of `Forwarded`: what one proxy knows.
#[derive(Default)]
struct Element<'h> {
    node: Option<&'h str>,
    host: Option<&'h str>,
    proto: Option<&'h str>,
}

impl<'h> Element<'h> {
    fn parse(text: &'h str) -> Result<Self, Ambiguous> {
        let mut element = Self::default();
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(Ambiguous::Unreadable)?;
            let value = unquoted(value.trim_ascii())?;
            let known = element.parameter(name.trim_ascii());
            if known.is_some_and(|known| known.replace(value).is_some()) {
                return Err(Ambiguous::Repeated);
            }
        }
        Ok(element)
    }

    fn parameter(&mut self, name: &str) -> Option<&mut Option<&'h str>> {
        match name {
            _ if name.eq_ignore_ascii_case("for") => Some(&mut self.node),
            _ if name.eq_ignore_ascii_case("host") => Some(&mut self.host),
            _ if name.eq_ignore_ascii_case("proto") => Some(&mut self.proto),
            _ => None,
        }
    }
}

/// A token or a quoted text. No address, host or scheme needs a backslash.
fn unquoted(value: &str) -> Result<&str, Ambiguous> {
    let inside = match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"').ok_or(Ambiguous::Unreadable)?,
        None => value,
    };
    let legal = !inside.is_empty() && !inside.contains(['"', '\\']);
    if legal { Ok(inside) } else { Err(Ambiguous::Unreadable) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn ip(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn networks() -> TrustedProxies {
        TrustedProxies::none()
            .network("10.0.0.0/8".parse().unwrap())
            .network("2001:db8:1::/48".parse().unwrap())
    }

    fn standard() -> TrustedProxies {
        networks().header(ForwardedHeader::Rfc7239)
    }

    fn client(
        proxies: &TrustedProxies,
        header: &'static str,
        list: &str,
    ) -> Result<IpAddr, Ambiguous> {
        let headers = headers(&[(header, list)]);
        Ok(proxies.told(&headers, ip(PROXY))?.unwrap().client.unwrap())
    }

    #[test]
    fn rule_1_nothing_is_read_from_others() {
        let headers = headers(&[
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "garbage"),
            ("forwarded", "for="),
        ]);
        assert_eq!(networks().told(&headers, ip("192.0.2.9")), Ok(None));
        assert_eq!(TrustedProxies::none().told(&headers, ip("127.0.0.1")), Ok(None));
        assert_eq!(networks().told(&headers, ip("::ffff:10.0.0.1")), Err(Ambiguous::Repeated));
    }

    #[test]
    fn rule_2_the_first_from_the_right_that_is_not_ours_is_the_client() {
        for (list, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
            ("garbage, unknown,, 192.0.2.1,10.2.3.4", "192.0.2.1"),
            ("192.0.2.1:4711 , 10.0.0.9:80", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:80, 2001:db8:1::7", "2001:db8::1"),
            ("::ffff:192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"),
            ("10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ] {
            assert_eq!(client(&networks(), "x-forwarded-for", list), Ok(ip(expected)), "{list}");
        }
    }

    #[test]
    fn rule_2_the_standard_header_says_more_of_the_same_way() {
        let list = "for=evil;proto=https;host=evil.example, \
                    For=\"[2001:db8::1]:4711\";PROTO=https;host=\"a.example:8443\";by=10.0.0.2, \
                    for=10.0.0.2;proto=http;host=inner";
        let headers = headers(&[("forwarded", list)]);
        let told = standard().told(&headers, ip(PROXY)).unwrap().unwrap();
        assert_eq!(told.client, Some(ip("2001:db8::1")));
        assert_eq!((told.scheme, told.host), (Some(Scheme::Https), Some("a.example:8443")));
    }

    #[test]
    fn rule_2_hops_count_from_the_right() {
        let hops = |hops| TrustedProxies::none().hops(hops);
        let of = |hops: &TrustedProxies, list: &str| client(hops, "x-forwarded-for", list);
        assert_eq!(of(&hops(1), "198.51.100.7, 192.0.2.1"), Ok(ip("192.0.2.1")));
        assert_eq!(of(&hops(2), "198.51.100.7, 192.0.2.1"), Ok(ip("198.51.100.7")));
        assert_eq!(of(&hops(2), "192.0.2.1, unknown"), Ok(ip("192.0.2.1")));
        assert_eq!(of(&hops(2), "unknown, 192.0.2.1"), Err(Ambiguous::Hidden));
        assert_eq!(of(&hops(3), "198.51.100.7, 192.0.2.1"), Err(Ambiguous::TooFew));
        let both = hops(1).network("192.0.2.0/24".parse().unwrap());
        assert_eq!(of(&both, "198.51.100.7, 192.0.2.1"), Ok(ip("198.51.100.7")));
    }

    #[test]
    fn rule_3_the_other_family_must_not_contradict() {
        let told = |forwarded: &str| {
            let headers = headers(&[
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "a.example"),
                ("forwarded", forwarded),
            ]);
            [networks(), standard()].map(|proxies| proxies.told(&headers, ip(PROXY)).map(|_| ()))
        };
        for same in ["for=192.0.2.1", "for=192.0.2.1;proto=https;host=a.example"] {
            assert_eq!(told(same), [Ok(()); 2], "{same}");
        }
        for other in
            ["for=192.0.2.2", "for=192.0.2.1;proto=http", "for=192.0.2.1;host=evil.example"]
        {
            assert_eq!(told(other), [Err(Ambiguous::Contradiction); 2], "{other}");
        }
        assert_eq!(told("for=\"192.0.2.1"), [Err(Ambiguous::Unreadable); 2]);
    }

    #[test]
    fn rule_3_a_family_that_is_not_there_says_nothing() {
        let headers = headers(&[("forwarded", "for=192.0.2.1;proto=https;host=evil.example")]);
        assert_eq!(networks().told(&headers, ip(PROXY)), Ok(Some(Told::default())));
    }

    #[test]
    fn rule_4_what_reads_in_two_ways_is_refused() {
        use Ambiguous::{Contradiction, Hidden, Repeated, TooMany, Unreadable};
        let long = vec!["192.0.2.1"; MAX_ENTRIES + 1].join(",");
        for (name, value, fault) in [
            ("x-forwarded-for", "garbage", Unreadable),
            ("x-forwarded-for", "", Unreadable),
            ("x-forwarded-for", "192.0.2.1,", Unreadable),
            ("x-forwarded-for", "192.0.2.1, 10.0.0.999", Unreadable),
            ("x-forwarded-for", "192.0.2.1 10.0.0.1", Unreadable),
            ("x-forwarded-for", "192.0.2.01", Unreadable),
            ("x-forwarded-for", "unknown", Hidden),
            ("x-forwarded-for", "192.0.2.1, _gateway", Hidden),
            ("x-forwarded-for", &long, TooMany),
            ("x-forwarded-proto", "https, http", Contradiction),
            ("x-forwarded-proto", "ftp", Unreadable),
            ("x-forwarded-proto", "", Unreadable),
            ("x-forwarded-host", "a.example, b.example", Contradiction),
            ("x-forwarded-port", "http", Unreadable),
            ("x-forwarded-port", "65536", Unreadable),
            ("x-forwarded-port", "+443", Unreadable),
            ("forwarded", "for=_hidden", Hidden),
            ("forwarded", "proto=https", Hidden),
            ("forwarded", "for=192.0.2.1;for=192.0.2.2", Repeated),
            ("forwarded", "for=192.0.2.1;host=\"a\\\"b\"", Unreadable),
            ("forwarded", "for=192.0.2.1;proto", Unreadable),
            ("forwarded", "for=192.0.2.1;proto=", Unreadable),
        ] {
            let headers = headers(&[(name, value)]);
            for proxies in [networks(), standard()] {
                assert_eq!(proxies.told(&headers, ip(PROXY)), Err(fault), "{name}: {value}");
            }
        }
        for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"] {
            let headers = headers(&[(name, "192.0.2.1"), (name, "192.0.2.1")]);
            assert_eq!(networks().told(&headers, ip(PROXY)), Err(Repeated), "{name}");
        }
        let latin = HeaderMap::from_iter([(
            HeaderName::from_static(FOR),
            HeaderValue::from_bytes(b"192.0.2.1\xff").unwrap(),
        )]);
        assert_eq!(networks().told(&latin, ip(PROXY)), Err(Unreadable));
    }

    #[test]
    fn rule_4_a_client_can_not_swallow_what_a_proxy_adds() {
        for list in ["for=\"evil, for=192.0.2.1", "for=\"evil;proto=https, for=192.0.2.1;by=\"x\""]
        {
            assert_eq!(client(&standard(), "forwarded", list), Ok(ip("192.0.2.1")), "{list}");
        }
    }

    #[test]
    fn rule_4_entries_that_agree_are_one() {
        let headers =
            headers(&[("x-forwarded-proto", "https,https"), ("x-forwarded-host", "a , a")]);
        let told = networks().told(&headers, ip(PROXY)).unwrap().unwrap();
        assert_eq!((told.scheme, told.host), (Some(Scheme::Https), Some("a")));
    }

    #[test]
    fn rule_5_underscores_are_no_hyphens() {
        let headers = headers(&[
            ("x_forwarded_for", "192.0.2.1"),
            ("x_forwarded_proto", "https"),
            ("x_forwarded_host", "evil.example"),
            ("x_real_ip", "192.0.2.1"),
        ]);
        assert_eq!(networks().told(&headers, ip(PROXY)), Ok(Some(Told::default())));
    }
}
