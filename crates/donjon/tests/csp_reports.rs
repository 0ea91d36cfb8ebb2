//! Reports of violations: what browsers send, what others send, and what is kept of it.

#![allow(clippy::unwrap_used, reason = "the helpers of tests stop a test")]

use std::convert::Infallible;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use donjon::csp::report::{
    BODIES_PER_SECOND, BODY_LIMIT, CspReports, Format, OwnPages, REPORTS_LIMIT, SAMPLE_LIMIT, read,
};
use donjon::host::HostLayer;
use donjon_core::clock::{Clock, UnixTime};
use donjon_core::host::AllowedHosts;
use donjon_core::origin::{SitePolicy, TrustedOrigins};
use donjon_core::session::StoreError;
use donjon_core::violation::{
    Batch, HourCount, Kind, MemoryViolations, Violation, ViolationRecord, ViolationStore,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::Full;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

const LEGACY: &str = "application/csp-report";
const REPORTING: &str = "application/reports+json; charset=utf-8";

/// What Chromium 148 sends for an inline script, by `report-uri`.
const CHROMIUM_LEGACY: &str = r#"{"csp-report":{"document-uri":"http://localhost:8000/transfer/?to=bob","referrer":"http://localhost:8000/","violated-directive":"script-src-elem","effective-directive":"script-src-elem","original-policy":"default-src 'self'; report-uri /csp-report/","disposition":"enforce","blocked-uri":"inline","line-number":12,"source-file":"http://localhost:8000/transfer/","status-code":200,"script-sample":"alert(1)"}}"#;

/// And by `report-to`, for a script from elsewhere that the policy only reports.
const CHROMIUM: &str = r#"[{"age":2,"body":{"blockedURL":"https://evil.example/x.js?s=1","columnNumber":9,"disposition":"report","documentURL":"http://localhost:8000/account/#top","effectiveDirective":"script-src-elem","lineNumber":7,"originalPolicy":"default-src 'self'","referrer":"","sample":"","sourceFile":"http://localhost:8000/static/a.js?v=2","statusCode":200},"type":"csp-violation","url":"http://localhost:8000/account/","user_agent":"Mozilla/5.0"}]"#;

/// What Firefox sends: no disposition of old, and the directive's whole text in the older name.
const FIREFOX: &str = r#"{"csp-report":{"blocked-uri":"https://evil.example/pixel.png","column-number":1,"disposition":"enforce","document-uri":"http://localhost:8000/","effective-directive":"img-src","original-policy":"default-src 'self'","referrer":"","status-code":200,"violated-directive":"img-src"}}"#;

/// An older Firefox.
const FIREFOX_OLD: &str = r#"{"csp-report":{"blocked-uri":"self","document-uri":"http://localhost:8000/","line-number":1,"original-policy":"x","referrer":"","script-sample":"onclick attribute on DIV element","source-file":"http://localhost:8000/","violated-directive":"script-src http://localhost:8000"}}"#;

fn parse(format: Format, body: &str) -> Batch {
    let headers = HeaderMap::from_iter([(header::HOST, "localhost:8000".parse().unwrap())]);
    let site = SitePolicy::new(AllowedHosts::local()).resolve(&headers, None, None);
    read(format, body.as_bytes(), &OwnPages { site: Some(&site), trusted: &TrustedOrigins::none() })
}

/// `directive blocked document source line:column disposition sample count`, and the noise.
fn shown(batch: &Batch) -> Vec<String> {
    let seen = batch.sightings().iter().map(|seen| {
        let Violation { directive, disposition, blocked, document, source, line, column } =
            &seen.violation;
        format!(
            "{} {blocked} {document} {source} {line}:{column} {} {:?} {}",
            directive.as_str(),
            disposition.as_str(),
            seen.sample,
            seen.count
        )
    });
    let noise = batch.counts().into_iter().filter(|(kind, _)| matches!(kind, Kind::Noise(_)));
    seen.chain(noise.map(|(kind, count)| format!("{} {count}", kind.as_str()))).collect()
}

/// A legacy report of the site's page with some fields more, or other ones.
fn legacy(fields: &Value) -> String {
    let mut report = json!({
        "document-uri": "http://localhost:8000/", "effective-directive": "script-src",
        "blocked-uri": "inline",
    });
    for (name, value) in fields.as_object().unwrap() {
        report[name] = value.clone();
    }
    json!({ "csp-report": report }).to_string()
}

fn listed(body: &Value) -> Value {
    json!({ "type": "csp-violation", "age": 0, "url": "http://localhost:8000/", "body": body })
}

#[test]
fn rule_1_what_browsers_send_is_read() {
    for (format, body, expected) in [
        (
            Format::Legacy,
            CHROMIUM_LEGACY,
            "script-src-elem inline /transfer/ /transfer/ 12:0 enforce \"alert(1)\" 1",
        ),
        (
            Format::Reporting,
            CHROMIUM,
            "script-src-elem https://evil.example/x.js /account/ /static/a.js 7:9 report \"\" 1",
        ),
        (Format::Legacy, FIREFOX, "img-src https://evil.example/pixel.png /  0:1 enforce \"\" 1"),
        (
            Format::Legacy,
            FIREFOX_OLD,
            "script-src self / / 1:0 enforce \"onclick attribute on DIV element\" 1",
        ),
        (
            Format::Legacy,
            r#"{"csp-report":{"document-uri":"http://localhost:8000/a","violated-directive":"style-src 'self'","blocked-uri":""}}"#,
            "style-src inline /a  0:0 enforce \"\" 1",
        ),
    ] {
        assert_eq!(shown(&parse(format, body)), [expected], "{body}");
    }
}

/// What Chromium 148 sent for an image and a script, together; the origin and the policy are shortened.
const CHROMIUM_BATCH: &str = r#"[{"age":102,"body":{"blockedURL":"https://pixel.example/p.gif?s=1","disposition":"enforce","documentURL":"http://localhost:8000/form/","effectiveDirective":"img-src","lineNumber":55,"originalPolicy":"default-src 'self'; report-to csp","referrer":"","sample":"","sourceFile":"http://localhost:8000/form/","statusCode":200},"type":"csp-violation","url":"http://localhost:8000/form/","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/148.0.0.0 Safari/537.36"},{"age":102,"body":{"blockedURL":"https://evil.example/a.js","disposition":"enforce","documentURL":"http://localhost:8000/form/","effectiveDirective":"script-src-elem","originalPolicy":"default-src 'self'; report-to csp","referrer":"","sample":"","statusCode":200},"type":"csp-violation","url":"http://localhost:8000/form/","user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/148.0.0.0 Safari/537.36"}]"#;

#[test]
fn rule_1_browsers_send_several_together() {
    assert_eq!(
        shown(&parse(Format::Reporting, CHROMIUM_BATCH)),
        [
            "img-src https://pixel.example/p.gif /form/ /form/ 55:0 enforce \"\" 1",
            "script-src-elem https://evil.example/a.js /form/  0:0 enforce \"\" 1",
        ]
    );
}

#[test]
fn rule_1_a_list_may_hold_several_and_others() {
    let one: Value = serde_json::from_str(CHROMIUM).unwrap();
    let others = ["deprecation", "intervention", "coep", "network-error"]
        .map(|kind| json!({ "type": kind, "body": {} }));
    let list: Vec<_> = others.into_iter().chain([one[0].clone(), one[0].clone()]).collect();
    let batch = parse(Format::Reporting, &json!(list).to_string());
    assert_eq!(batch.sightings().len(), 1, "the same is one");
    assert_eq!(batch.sightings()[0].count, 2);
    assert_eq!(shown(&batch)[1..], ["other-type 4"]);
    let alone = parse(Format::Reporting, &one[0].to_string());
    assert_eq!(alone.sightings().len(), 1, "a report without its list");
}

#[test]
fn rule_2_a_body_has_so_many_reports() {
    let one = listed(
        &json!({ "documentURL": "http://localhost:8000/", "effectiveDirective": "img-src", "blockedURL": "data" }),
    );
    let batch = parse(Format::Reporting, &json!(vec![one; REPORTS_LIMIT + 7]).to_string());
    assert_eq!(batch.sightings()[0].count, REPORTS_LIMIT as u64);
    assert_eq!(shown(&batch)[1..], ["surplus 7"]);
}

#[test]
fn rule_4_made_up_pages_and_extensions_are_only_counted() {
    for (fields, noise) in [
        (json!({ "document-uri": "https://evil.example/" }), "foreign 1"),
        (json!({ "document-uri": "http://localhost:8000.evil.example/" }), "foreign 1"),
        (json!({ "document-uri": "http://localhost:8000@evil.example/" }), "foreign 1"),
        (json!({ "document-uri": "about" }), "foreign 1"),
        (json!({ "document-uri": "/" }), "unreadable 1"),
        (json!({ "document-uri": null }), "unreadable 1"),
        (json!({ "blocked-uri": "chrome-extension" }), "extension 1"),
        (json!({ "blocked-uri": "moz-extension://a/b.js" }), "extension 1"),
        (json!({ "source-file": "safari-web-extension://a/b.js" }), "extension 1"),
        (json!({ "source-file": "webkit-masked-url://hidden/" }), "extension 1"),
    ] {
        assert_eq!(shown(&parse(Format::Legacy, &legacy(&fields))), [noise], "{fields}");
    }
}

#[test]
fn rules_5_and_6_hostile_fields_are_not_kept() {
    for fields in [
        json!({ "blocked-uri": "<script>alert(1)</script>" }),
        json!({ "blocked-uri": "https://evil.example/\u{202e}" }),
        json!({ "blocked-uri": "https://evil.example/\r\nSet-Cookie: a=b" }),
        json!({ "blocked-uri": ["https://evil.example/"] , "effective-directive": 7 }),
        json!({ "effective-directive": "x".repeat(10_000) }),
        json!({ "effective-directive": "script-src\u{0}" }),
        json!({ "effective-directive": "" }),
        json!({ "effective-directive": " " }),
    ] {
        assert_eq!(shown(&parse(Format::Legacy, &legacy(&fields))), ["unreadable 1"], "{fields}");
    }
    let odd = json!({
        "script-sample": format!("a\r\n\u{1b}[31m\u{202e}b\u{0}{}", "x".repeat(500)),
        "source-file": "sandbox eval code", "line-number": -1, "column-number": 1e300,
        "disposition": "<b>",
    });
    let batch = parse(Format::Legacy, &legacy(&odd));
    let seen = &batch.sightings()[0];
    assert_eq!(seen.sample.chars().count(), SAMPLE_LIMIT);
    assert!(seen.sample.starts_with("a  [31mbxxx"), "{}", seen.sample);
    let Violation { source, line, column, .. } = &seen.violation;
    assert_eq!((source.as_str(), *line, *column), ("", 0, 0));
}

#[test]
fn what_is_no_report_is_counted_once() {
    let nested = "[".repeat(10_000);
    for body in ["", "{", "null", "[]x", "7", "\"x\"", "{}", "[[]]", &nested, "{\"csp-report\":[]}"]
    {
        for format in [Format::Legacy, Format::Reporting] {
            assert_eq!(shown(&parse(format, body)), ["unreadable 1"], "{format:?} {body}");
        }
    }
    assert_eq!(parse(Format::Reporting, "[]"), Batch::default());
}

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

struct Site {
    store: Arc<MemoryViolations>,
    clock: Clock,
    reports: CspReports,
}

fn site() -> Site {
    let (store, clock) = (Arc::new(MemoryViolations::default()), Clock::fixed(NOW));
    let reports = CspReports::new(store.clone()).clock(clock.clone());
    Site { store, clock, reports }
}

impl Site {
    async fn send(&self, request: Request<Full<Bytes>>) -> Response<Full<Bytes>> {
        let layer = HostLayer::new(SitePolicy::new(AllowedHosts::local()));
        layer.layer(self.reports.clone()).oneshot(request).await.unwrap()
    }

    async fn post(&self, kind: &str, body: impl Into<Bytes>) -> StatusCode {
        let response = self.send(post(kind, body)).await;
        assert!(!response.headers().contains_key(header::SET_COOKIE));
        response.status()
    }

    async fn records(&self) -> Vec<ViolationRecord> {
        self.store.records().await.unwrap()
    }
}

fn post(kind: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let request = Request::post("/csp-report/").header(header::HOST, "localhost:8000");
    request.header(header::CONTENT_TYPE, kind).body(Full::new(body.into())).unwrap()
}

#[tokio::test]
async fn rule_7_the_same_violation_is_one_record() {
    let site = site();
    for _ in 0..3 {
        assert_eq!(site.post(LEGACY, CHROMIUM_LEGACY).await, StatusCode::NO_CONTENT);
        site.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(site.post(REPORTING, CHROMIUM).await, StatusCode::NO_CONTENT);
    let records = site.records().await;
    assert_eq!(records.len(), 2);
    let first = &records[0];
    assert_eq!((first.count, first.sample.as_str()), (3, "alert(1)"));
    assert_eq!((first.first_seen, first.last_seen), (NOW, NOW.plus_seconds(120)));
}

#[tokio::test]
async fn rule_8_every_post_is_answered_alike() {
    let site = site();
    let foreign = legacy(&json!({ "document-uri": "https://evil.example/" }));
    for body in [CHROMIUM_LEGACY, "", "garbage", foreign.as_str(), "{}"] {
        let response = site.send(post(LEGACY, body.to_owned())).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT, "{body}");
        assert!(response.headers().is_empty(), "{body}");
    }
    assert_eq!(site.records().await.len(), 1);
}

#[tokio::test]
async fn rule_8_other_methods_and_formats_are_refused() {
    let site = site();
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::OPTIONS, Method::DELETE] {
        let mut request = post(LEGACY, CHROMIUM_LEGACY);
        *request.method_mut() = method;
        let response = site.send(request).await;
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "POST");
    }
    for kind in ["application/json", "text/plain", "", "application/csp-reportx", "\u{e9}"] {
        let status = site.post(kind, CHROMIUM_LEGACY).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let status = site.post("Application/CSP-Report ; charset=utf-8", CHROMIUM_LEGACY).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn rule_2_a_long_body_is_refused_whether_it_says_so_or_not() {
    let site = site();
    let padded =
        |length: usize| format!("{CHROMIUM_LEGACY}{}", " ".repeat(length - CHROMIUM_LEGACY.len()));
    assert_eq!(site.post(LEGACY, padded(BODY_LIMIT)).await, StatusCode::NO_CONTENT);
    assert_eq!(site.records().await.len(), 1);
    let status = site.post(LEGACY, padded(BODY_LIMIT + 1)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);

    let layer = HostLayer::new(SitePolicy::new(AllowedHosts::local()));
    let (parts, _) = post(LEGACY, "").into_parts();
    let request = Request::from_parts(parts, Endless);
    let response = layer.layer(site.reports.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// A body of spaces without an end and without a length.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1024])))))
    }
}

#[tokio::test]
async fn rule_3_a_flood_is_dropped_and_the_answer_is_the_same() {
    let site = site();
    for _ in 0..BODIES_PER_SECOND + 30 {
        assert_eq!(site.post(LEGACY, CHROMIUM_LEGACY).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(site.records().await[0].count, u64::from(BODIES_PER_SECOND));
    site.clock.advance(Duration::from_secs(1));
    site.post(LEGACY, CHROMIUM_LEGACY).await;
    assert_eq!(site.records().await[0].count, u64::from(BODIES_PER_SECOND) + 1);
}

#[tokio::test]
async fn rule_4_without_a_host_room_only_trusted_origins_are_believed() {
    let store = Arc::new(MemoryViolations::default());
    let reports = CspReports::new(store.clone());
    reports.clone().oneshot(post(LEGACY, CHROMIUM_LEGACY)).await.unwrap();
    assert_eq!(store.records().await.unwrap(), []);
    let trusting = reports.trust_origins(TrustedOrigins::new(["http://localhost:8000"]).unwrap());
    trusting.oneshot(post(LEGACY, CHROMIUM_LEGACY)).await.unwrap();
    let records = store.records().await.unwrap();
    assert_eq!(records[0].violation.document, "http://localhost:8000/transfer/");
}

struct Broken;

impl ViolationStore for Broken {
    async fn note(&self, _: &Batch, _: UnixTime) -> Result<Vec<Violation>, StoreError> {
        Err(StoreError::new("it is down"))
    }

    async fn records(&self) -> Result<Vec<ViolationRecord>, StoreError> {
        Err(StoreError::new("it is down"))
    }

    async fn hours(&self, _: UnixTime) -> Result<Vec<HourCount>, StoreError> {
        Err(StoreError::new("it is down"))
    }
}

#[tokio::test]
async fn rule_8_a_store_that_fails_is_nobody_elses_business() {
    let reports = CspReports::new(Arc::new(Broken));
    let response = reports.oneshot(post(LEGACY, CHROMIUM_LEGACY)).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

/// Keeps the events of the room, each as its fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "donjon::security::csp"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields(String);
        impl tracing::field::Visit for Fields {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0.trim_end().to_owned());
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn rule_9_what_is_new_and_what_is_dropped_is_told_once() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let site = site();
    for _ in 0..BODIES_PER_SECOND + 30 {
        site.post(LEGACY, CHROMIUM_LEGACY).await;
    }
    let told = log.0.lock().unwrap().clone();
    let new = "message=Content Security Policy violated directive=script-src-elem blocked=inline \
        document=/transfer/";
    let dropped = "message=Too many reports of violations, some are dropped";
    assert_eq!(told, [new, dropped]);
    let broken = CspReports::new(Arc::new(Broken));
    broken.oneshot(post(LEGACY, CHROMIUM_LEGACY)).await.unwrap();
    assert!(log.0.lock().unwrap()[2].contains("it is down"));
}
