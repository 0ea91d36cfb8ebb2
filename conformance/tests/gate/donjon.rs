//! Donjon's gate: a stack in Django's mode around the same views.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use conformance::case::{Case, Unanswered};
use conformance::{common, cors, csp, csrf, headers, web};
use donjon::csp::{CspPolicy, DjangoCsp};
use donjon::routes::{Routes, TrailingSlash};
use donjon::stack::{Stack, StackBuilder};
use donjon_html::template::Templates;
use http::{StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::answer::Answer;

/// The paths of the views, without the slash that they begin with.
const PATHS: [&str; 9] =
    ["", "exempt/", "frame/", "same/", "csp/", "cookie/", "own/", "fail/", "redirect/"];

/// A site with Django's settings.
pub(crate) fn site(settings: &Value) -> Router {
    let case = case(&json!({"settings": settings}));
    let stack = stack(&case).unwrap().build().unwrap();
    views(slash(&case)).into_router(stack, Templates::new::<&str, &str>([]).unwrap()).unwrap()
}

fn case(fields: &Value) -> Case {
    Case::parse(&fields.to_string()).unwrap()
}

fn stack(case: &Case) -> Result<StackBuilder, Unanswered> {
    let paths = PATHS.map(str::to_owned).to_vec();
    Ok(Stack::new(web::unnamed_site(case)?)
        .headers(headers::policy(case)?)
        .csp(csp::policies(case)?)
        .https(headers::https(case)?)
        .canonical(common::policy(case, if by_routes(case) { Vec::new() } else { paths })?)
        .cors(cors::policy(case)?)
        .danger_without_isolation()
        .csrf(csrf::policy(case)?))
}

/// A missing slash may be the routes' affair or that of the canonical room: sites of both kinds are asked.
fn by_routes(case: &Case) -> bool {
    case.setting("PREPEND_WWW") == false
}

fn slash(case: &Case) -> TrailingSlash {
    match case.setting("APPEND_SLASH") == true && by_routes(case) {
        true => TrailingSlash::Append,
        false => TrailingSlash::Leave,
    }
}

fn views(slash: TrailingSlash) -> Routes {
    let nothing = DjangoCsp::new([("default-src", ["'none'"].into())]);
    Routes::new()
        .trailing_slash(slash)
        .path("/", any(page))
        .path("/exempt/", any(page))
        .csrf_exempt()
        .path("/frame/", any(page))
        .xframe_exempt()
        .path("/same/", any(page))
        .xframe_sameorigin()
        .path("/csp/", any(page))
        .csp(CspPolicy::from_django(&nothing).unwrap().unwrap())
        .path("/cookie/", any(page))
        .ensure_csrf_cookie()
        .path("/own/", any(own))
        .path("/fail/", any(async || StatusCode::INTERNAL_SERVER_ERROR))
        .path("/redirect/", any(async || (StatusCode::FOUND, [(header::LOCATION, "/there/")])))
}

async fn page() -> &'static str {
    "ok"
}

async fn own() -> Response {
    let headers = [
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "Accept"),
    ];
    (headers, "ok").into_response()
}

/// What the site answers to a request.
pub(crate) async fn answer(site: &Router, request: &Value) -> Answer {
    let request = web::request(&case(&json!({"request": request}))).unwrap().map(Body::new);
    let Ok(response) = site.clone().oneshot(request).await;
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| (name.as_str(), donjon_core::origin::latin1(value)));
    Answer::new(response.status().as_u16(), headers)
}
