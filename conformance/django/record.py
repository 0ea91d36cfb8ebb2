"""Puts questions to the real Django and writes what it answers to ../vectors, for whoever has no others.

    python -B record.py

The formats are described by the runner (conformance/src). Fresh secrets and keys are written as
{"$random": …}; everything else comes out the same each time.
"""

import hashlib
import json
import re
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from types import ModuleType
from unittest import mock
from urllib.parse import unquote_to_bytes

import django
from corsheaders.middleware import CorsMiddleware
from corsheaders.signals import check_request_enabled
from django.conf import settings

VECTORS = Path(__file__).parent.parent / "vectors"
NOW = 1_764_000_000
KEY = "0123456789abcdefghijklmnopqrstuv"
SECRET = "kAVW5nSeOyFgHtMq7Xc1Zb9RdJ3uLp0Q"
OTHER = "zYxWvUtSrQpOnMlKjIhGfEdCbA987654"

# The URLs and the failure view are named by module.
sys.modules["record"] = sys.modules[__name__]
settings.configure(
    SECRET_KEY="unused",
    ALLOWED_HOSTS=["testserver"],
    ROOT_URLCONF="record",
    USE_TZ=True,
    CSRF_FAILURE_VIEW="record.refused",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.contrib.sessions.exceptions import SessionInterrupted  # noqa: E402
from django.contrib.sessions.middleware import SessionMiddleware  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core import signing  # noqa: E402
from django.core.exceptions import DisallowedHost  # noqa: E402
from django.core.handlers.exception import convert_exception_to_response  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse, HttpResponseForbidden  # noqa: E402
from django.http.request import split_domain_port  # noqa: E402
from django.middleware import csrf  # noqa: E402
from django.middleware.common import CommonMiddleware  # noqa: E402
from django.middleware.csp import ContentSecurityPolicyMiddleware  # noqa: E402
from django.middleware.clickjacking import XFrameOptionsMiddleware  # noqa: E402
from django.middleware.security import SecurityMiddleware  # noqa: E402
from django.test import RequestFactory, override_settings  # noqa: E402
from django.urls import path  # noqa: E402
from django.utils import timezone as clock  # noqa: E402
from django.utils.csp import CSP, build_policy  # noqa: E402
from django.views.decorators import csrf as decorators  # noqa: E402


def random(alphabet, length=32):
    return {"$random": {"length": length, "alphabet": alphabet}}


@contextmanager
def at(now):
    """Holds Django's clocks still."""
    moment = datetime.fromtimestamp(now, timezone.utc)
    with mock.patch("time.time", lambda: now), mock.patch.object(clock, "now", lambda: moment):
        yield


def write(name, cases):
    lines = []
    for case in cases:
        text = json.dumps(case)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        lines.append(json.dumps({"id": f"own-{name}-{digest}", **case}))
    VECTORS.mkdir(exist_ok=True)
    (VECTORS / f"{name}.jsonl").write_text("\n".join(sorted(lines)) + "\n")


def outcome(name, call):
    """What a call of signing's comes to."""
    try:
        return {name: call()}
    except signing.SignatureExpired:
        return {"error": "SignatureExpired"}
    except signing.BadSignature:
        return {"error": "BadSignature"}
    except Exception:
        return {"error": "other"}


# signing


def signer_of(described):
    words = {"key": described["key"], "fallback_keys": described["fallback_keys"]}
    words |= {"sep": described["sep"], "salt": described["salt"], "algorithm": described["algorithm"]}
    return getattr(signing, described["class"])(**words)


def signers():
    for kind, key, sep, algorithm in [
        ("Signer", "a key", ":", "sha256"),
        ("Signer", "ключ", "/", "sha1"),
        ("Signer", "a key", "::", "sha512"),
        ("TimestampSigner", "a key", ":", "sha256"),
        ("TimestampSigner", "ключ", ".", "sha256"),
    ]:
        yield {
            "class": kind, "key": key, "fallback_keys": ["former"], "sep": sep,
            "salt": "our.tests", "algorithm": algorithm,
        }  # fmt: skip


def signing_cases():
    for number in [0, 7, 61, 62, -1, -3843, 2**31, 10**18, 2**70]:
        text = signing.b62_encode(number)
        yield {"kind": "b62", "int": number, "expect": {"text": text}}
        yield {"kind": "b62", "text": text, "expect": {"int": number}}
    for sep in ["-", "_", "=", "", "a", "^", "~", ":", "a:"]:
        described = {**next(signers()), "sep": sep}
        try:
            signer_of(described)
            expect = {"ok": True}
        except ValueError:
            expect = {"error": "unsafe_separator"}
        yield {"kind": "signer_new", "signer": described, "expect": expect}
    values = ["", "hello", "with:colons:", "ünïcødé", '{"a": 1}', "a/b.c::d"]
    for described, value in product(signers(), values):
        yield from signed_text(described, value)
    objects = [{}, {"a": [1, 2.5, None, True]}, "é", {"long": "text " * 60}]
    for described, value, compress in product(signers(), objects, [False, True]):
        yield from signed_object(described, value, compress)
    yield from signed_cookies()


def signed_text(described, value):
    signer = signer_of(described)
    case = {"signer": described, "now": NOW}
    with at(NOW):
        signed = signer.sign(value)
        yield {"kind": "sign", **case, "value": value, "expect": {"signed": signed}}
        former = signer_of({**described, "key": "former"}).sign(value)
        salted = signer_of({**described, "salt": "other"}).sign(value)
    timed = described["class"] == "TimestampSigner"
    for text, later in [(signed, 0), (signed, 10), (signed, 11), (former, 5), (salted, 0), (signed[:-1], 0), (value, 0)]:
        ages = {"max_age": 10} if timed else {}
        with at(NOW + later):
            expect = outcome("value", lambda: signer.unsign(text, **ages))
        yield {"kind": "unsign", **case, "now": NOW + later, "signed": text, **ages, "expect": expect}


def signed_object(described, value, compress):
    signer = signer_of(described)
    case = {"signer": described, "now": NOW}
    payload = signing.JSONSerializer().dumps(value).decode()
    with at(NOW):
        signed = signer.sign_object(value, compress=compress)
        expect = {"signed": signed, "compressed": signed.startswith(".")}
        yield {"kind": "sign_object", **case, "json": payload, "compress": compress, "expect": expect}
        for text in [signed, signed[1:], signer.sign("not base64!"), signer.sign("")]:
            expect = outcome("json", lambda: json.dumps(signer.unsign_object(text)))
            yield {"kind": "unsign_object", **case, "signed": text, "max_age": None, "expect": expect}


def signed_cookies():
    for name, value, salt in product(["c", "__Host-x"], ["hello", "a:b", ""], ["", "salt"]):
        case = {"name": name, "salt": salt, "settings": {"SECRET_KEY": "now", "SECRET_KEY_FALLBACKS": ["before"]}}
        with override_settings(**case["settings"]), at(NOW):
            response = HttpResponse()
            response.set_signed_cookie(name, value, salt=salt)
            text = response.cookies[name].value
        yield {"kind": "set_signed_cookie", **case, "now": NOW, "value": value, "expect": {"cookie_value": text}}
        for sent, other, later in [(text, salt, 0), (text, salt, 99), (text, "x", 0), (text + "x", salt, 0)]:
            with override_settings(**case["settings"]), at(NOW + later):
                request = RequestFactory().get("/")
                request.COOKIES[name] = sent
                expect = outcome("value", lambda: request.get_signed_cookie(name, salt=other, max_age=60))
            yield {
                "kind": "get_signed_cookie", **case, "salt": other, "now": NOW + later,
                "cookie_value": sent, "max_age": 60, "expect": expect,
            }  # fmt: skip


# CSRF

CSRF = {
    "DEBUG": False, "ALLOWED_HOSTS": ["testserver", ".example.org"], "CSRF_COOKIE_AGE": 31449600,
    "CSRF_COOKIE_DOMAIN": None, "CSRF_COOKIE_HTTPONLY": False, "CSRF_COOKIE_NAME": "csrftoken",
    "CSRF_COOKIE_PATH": "/", "CSRF_COOKIE_SAMESITE": "Lax", "CSRF_COOKIE_SECURE": False,
    "CSRF_HEADER_NAME": "HTTP_X_CSRFTOKEN", "CSRF_TRUSTED_ORIGINS": ["https://*.example.org"],
    "CSRF_USE_SESSIONS": False, "SECURE_PROXY_SSL_HEADER": None, "SESSION_COOKIE_DOMAIN": None,
    "USE_X_FORWARDED_HOST": False, "USE_X_FORWARDED_PORT": False,
}  # fmt: skip

shown = {}


def refused(request, reason=""):
    shown["reason"] = reason
    return HttpResponseForbidden("refused")


def view(request):
    described = shown["view"]
    token = csrf.get_token(request) if described["body"] == "token" else None
    if described.get("rotate"):
        csrf.rotate_token(request)
    shown["token"] = token
    return HttpResponse(token or "OK")


def dispatch(request):
    decorated = view
    for name in reversed(shown["view"]["decorators"]):
        decorated = getattr(decorators, name)(decorated)
    return decorated(request)


urlpatterns = [path("", dispatch), path("exempt/", decorators.csrf_exempt(dispatch))]


def cookies(response):
    def cookie(morsel):
        return {
            "name": morsel.key, "value": morsel.coded_value, "path": morsel["path"] or None,
            "domain": morsel["domain"] or None, "max_age": morsel["max-age"] if morsel["max-age"] != "" else None,
            "expires": morsel["expires"] or None, "secure": bool(morsel["secure"]),
            "http_only": bool(morsel["httponly"]), "same_site": morsel["samesite"] or None,
        }  # fmt: skip

    return [cookie(morsel) for morsel in response.cookies.values()]


def vary(response):
    return [name.strip() for name in response.get("Vary", "").split(",") if name]


def form(token):
    return "application/x-www-form-urlencoded", f"a=1&csrfmiddlewaretoken={token}"


def multipart(*tokens):
    head = 'Content-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n'
    parts = "".join(f"--XX\r\n{head}{token}\r\n" for token in tokens)
    return "multipart/form-data; boundary=XX", f"{parts}--XX--\r\n"


def csrf_requests():
    with mock.patch.object(csrf, "_get_new_csrf_string", lambda: "mAsK" * 8):
        masked, foreign = csrf._mask_cipher_secret(SECRET), csrf._mask_cipher_secret(OTHER)
    plain, asking = {"body": "plain", "decorators": []}, {"body": "token", "decorators": []}
    sent = [["csrftoken", SECRET]]
    for body in [form(masked), form(SECRET), form(foreign), form(""), form("short"), form("-" * 32),
                 multipart(masked), multipart(foreign), multipart(masked, "x"), multipart("x", masked),
                 ("application/json", "{}"), ("text/plain", f"csrfmiddlewaretoken={masked}")]:  # fmt: skip
        yield plain, "POST", "http", [], sent, body
    for token, method in product([masked, SECRET, foreign, "short"], ["POST", "PUT", "DELETE", "GET"]):
        yield plain, method, "http", [["X-CSRFToken", token]], sent, None
    for value in [SECRET, OTHER, masked, "short", "-" * 32, "é" * 32, "", f'"{SECRET}"']:
        for method, asked in product(["GET", "POST"], [plain, asking]):
            yield asked, method, "http", [], [["csrftoken", value]], form(masked) if method == "POST" else None
    for double in [[["csrftoken", OTHER], *sent], [*sent, ["csrftoken", OTHER]], []]:
        yield plain, "POST", "http", [], double, form(masked)
    origins = ["https://testserver", "http://testserver", "https://testserver:443", "null", "https://evil.example",
               "https://a.example.org", "https://example.org", "http://a.example.org", "https://example.org.evil.example", ""]  # fmt: skip
    for scheme, origin in product(["http", "https"], origins):
        yield plain, "POST", scheme, [["Origin", origin]], sent, form(masked)
    for origin in origins:
        yield plain, "POST", "https", [["Referer", f"{origin}/page?q"]], sent, form(masked)
    yield plain, "POST", "https", [], sent, form(masked)
    for names in [["csrf_protect"], ["ensure_csrf_cookie"], ["requires_csrf_token"], ["csrf_exempt"]]:
        for method, jar, body in product(["GET", "POST"], [[], sent], ["plain", "token"]):
            yield {"body": body, "decorators": names}, method, "http", [], jar, None
    for jar, body in product([[], sent], ["plain", "token"]):
        yield {"body": body, "decorators": [], "rotate": True}, "GET", "http", [], jar, None


def csrf_request(described, method, scheme, headers, jar, body):
    kind, text = body or (None, None)
    listed = headers + ([["Content-Type", kind]] if kind else [])
    secure = scheme == "https"
    request = {
        "method": method, "scheme": scheme, "host": "testserver", "path": "/", "headers": listed, "cookies": jar,
        "body": text, "server": {"name": "testserver", "port": "443" if secure else "80"},
    }  # fmt: skip
    shown.clear()
    shown["view"] = described
    exempt = "csrf_exempt" in described["decorators"]
    extra = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    extra["HTTP_HOST"] = "testserver"
    if jar:
        extra["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in jar).encode().decode("latin-1")
    data = (text or "").encode()
    made = RequestFactory().generic(method, "/exempt/" if exempt else "/", data, kind or "", secure=secure, **extra)
    with override_settings(**CSRF, MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]), at(NOW):
        handler = WSGIHandler()
        response = handler.get_response(made)
    request["cookies"] = [[name, value.encode().decode("latin-1")] for name, value in jar]
    expect = csrf_outcome(response, jar)
    return {
        "kind": "request", "settings": CSRF, "middleware": True, "view": described, "request": request,
        "session": None, "now": NOW, "expect": expect,
    }  # fmt: skip


def csrf_outcome(response, jar):
    came = next((value.strip('"') for name, value in reversed(jar) if name == "csrftoken"), None)
    came = csrf._unmask_cipher_token(came) if came and came.isascii() and came.isalnum() and len(came) == 64 else came
    stored = cookies(response)
    secret = stored[0]["value"] if stored else None
    word = "untouched" if not stored else "kept" if secret == came else "new"
    if word == "new":
        stored[0]["value"] = random("A-Za-z0-9")
    reason = shown.get("reason")
    expect = {
        "decision": "accept" if reason is None else "reject", "reason": reason, "status": response.status_code,
        "content_type": response["Content-Type"], "vary": vary(response), "set_cookie": stored, "secret": word,
    }  # fmt: skip
    if token := shown.get("token"):
        hidden = csrf._unmask_cipher_token(token)
        kept = secret or came
        fresh = hidden != came
        expect["token"] = {
            "length": len(token), "secret": random("A-Za-z0-9") if fresh else hidden,
            "secret_is_the_stored_one": hidden == kept,
        }  # fmt: skip
    return expect


def csrf_tokens():
    for secret, mask in product([SECRET, OTHER], [SECRET, "a" * 32, "9" * 32]):
        with mock.patch.object(csrf, "_get_new_csrf_string", lambda mask=mask: mask):
            token = csrf._mask_cipher_secret(secret)
        yield {"kind": "token", "op": "mask", "secret": secret, "mask": mask, "expect": {"token": token}}
        yield {"kind": "token", "op": "unmask", "token": token, "expect": {"secret": secret}}
        for other in [SECRET, OTHER]:
            match = csrf._does_token_match(token, other)
            yield {"kind": "token", "op": "match", "token": token, "secret": other, "expect": {"match": match}}
    for token in ["", "a", SECRET, SECRET * 2, SECRET[:-1], SECRET + "a", "é" * 32, "-" * 64, SECRET[:-1] + "\n"]:
        try:
            csrf._check_token_format(token)
            error = None
        except csrf.InvalidTokenFormat as invalid:
            error = invalid.reason
        yield {"kind": "token", "op": "format", "token": token, "expect": {"error": error}}


# sessions

KEYS = {"SECRET_KEY": "now", "SECRET_KEY_FALLBACKS": ["before"]}
SESSIONS = {
    "SESSION_COOKIE_NAME": "sessionid", "SESSION_COOKIE_AGE": 1209600, "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_PATH": "/", "SESSION_COOKIE_SECURE": False, "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax", "SESSION_EXPIRE_AT_BROWSER_CLOSE": False, "SESSION_SAVE_EVERY_REQUEST": False,
}  # fmt: skip


def session_texts():
    salt = "django.contrib.sessions.SessionStore"
    for data in [{}, {"a": 1}, {"é": ["☂", None, 1.5]}, {"long": "text " * 60}]:
        payload = signing.JSONSerializer().dumps(data).decode()
        with override_settings(**KEYS), at(NOW):
            text = SessionStore().encode(data)
        case = {"settings": KEYS, "salt": salt, "now": NOW}
        expect = {"text": text, "compressed": text.startswith(".")}
        yield {"kind": "encode", **case, "json": payload, "expect": expect}
        with override_settings(SECRET_KEY="before"), at(NOW):
            former = SessionStore().encode(data)
        for stored in [text, former, text[:-1], "x" + text, "garbage", ""]:
            with override_settings(**KEYS), at(NOW):
                expect = {"json": json.dumps(SessionStore().decode(stored))}
            yield {"kind": "decode", **case, "text": stored, "expect": expect}


def session_ends():
    for age, closes in product([1209600, 60], [False, True]):
        ends = {"SESSION_COOKIE_AGE": age, "SESSION_EXPIRE_AT_BROWSER_CLOSE": closes}
        for stored in [None, 300, 0, "2025-11-24T16:01:40+00:00", "2025-11-25T00:00:00+02:00"]:
            session = SessionStore()
            session._session_cache = {} if stored is None else {"_session_expiry": stored}
            with override_settings(**ends), at(NOW):
                expect = {
                    "age": session.get_expiry_age(), "date": session.get_expiry_date().astimezone(timezone.utc).isoformat(),
                    "at_browser_close": session.get_expire_at_browser_close(),
                }  # fmt: skip
            yield {"kind": "expiry", "settings": ends, "stored": stored, "now": NOW, "expect": expect}


OPS = {
    "set": lambda session, key, value: session.__setitem__(key, value),
    "get": lambda session, key: session.get(key),
    "pop": lambda session, key: session.pop(key, None),
    "clear": lambda session: session.clear(),
    "flush": lambda session: session.flush(),
    "cycle_key": lambda session: session.cycle_key(),
    "set_expiry": lambda session, value: session.set_expiry(value),
    "set_test_cookie": lambda session: session.set_test_cookie(),
}


def session_requests():
    live = {KEY: {"data": {"a": [1]}, "expires_at": NOW + 60}}
    dead = {KEY: {"data": {"a": [1]}, "expires_at": NOW}}
    visitors = [([], {}), ([["sessionid", KEY]], live), ([["sessionid", KEY]], dead), ([["sessionid", "x" * 32]], {}),
                ([["sessionid", "short"]], live), ([["sessionid", ""]], {})]  # fmt: skip
    plans = [[], [["get", "a"]], [["set", "b", {"c": None}]], [["pop", "a"]], [["clear"]], [["flush"]], [["cycle_key"]],
             [["set", "b", 1], ["set_expiry", 300]], [["set_expiry", 0]], [["flush"], ["set", "b", 1]],
             [["set_test_cookie"]]]  # fmt: skip
    for (jar, stored), ops in product(visitors, plans):
        yield session_request(jar, stored, ops, 200, SESSIONS)
    for status, every in [(404, False), (500, False), (500, True), (200, True)]:
        words = {**SESSIONS, "SESSION_SAVE_EVERY_REQUEST": every}
        yield session_request([["sessionid", KEY]], live, [["get", "a"]], status, words)
        yield session_request([["sessionid", KEY]], live, [["set", "b", 1]], status, words)
    closing = {**SESSIONS, "SESSION_EXPIRE_AT_BROWSER_CLOSE": True, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "example.org"}
    yield session_request([["sessionid", KEY]], live, [["set", "b", 1]], 200, closing)
    yield session_request([["sessionid", KEY]], live, [["flush"]], 200, closing)


def session_request(jar, stored, ops, status, words):
    def respond(request):
        for op, *args in ops:
            OPS[op](request.session, *args)
        return HttpResponse(status=status)

    Session.objects.all().delete()
    with override_settings(**words, **KEYS), at(NOW):
        for key, row in stored.items():
            ends = datetime.fromtimestamp(row["expires_at"], timezone.utc)
            text = SessionStore().encode(row["data"])
            Session.objects.create(session_key=key, session_data=text, expire_date=ends)
        extra = {"HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in jar)} if jar else {}
        try:
            response = SessionMiddleware(respond)(RequestFactory().get("/", **extra))
        except SessionInterrupted:
            # What the handler around the middleware makes of it.
            response = HttpResponse(status=400)
        rows = [
            {"key": row.session_key if row.session_key in stored else random("a-z0-9"),
             "data": row.get_decoded(), "expires_at": round(row.expire_date.timestamp())}
            for row in sorted(Session.objects.all(), key=lambda row: row.session_key not in stored)
        ]  # fmt: skip
    written = cookies(response)
    for cookie in written:
        if cookie["value"] not in ('""', *stored):
            cookie["value"] = random("a-z0-9")
    request = {
        "method": "GET", "scheme": "http", "host": "testserver", "path": "/", "headers": [], "cookies": jar,
        "body": None, "server": {"name": "testserver", "port": "80"},
    }  # fmt: skip
    expect = {"status": response.status_code, "set_cookie": written, "vary": vary(response), "stored_after": rows}
    return {
        "kind": "middleware", "settings": words, "request": request, "stored": stored, "ops": ops, "status": status,
        "now": NOW, "expect": expect,
    }  # fmt: skip


def session_cases():
    yield from session_texts()
    yield from session_ends()
    yield from session_requests()
    for key in ["", "1234567", "12345678", KEY, "x" * 40]:
        accepted = SessionStore(key).session_key is not None
        yield {"kind": "session_key", "key": key, "expect": {"accepted": accepted}}
    for password in ["", "!unusable", "pbkdf2_sha256$1$salt$hash", "ünïcødé"]:
        with override_settings(**KEYS):
            user = User(password=password)
            expect = {"hash": user.get_session_auth_hash(), "fallback_hashes": list(user.get_session_auth_fallback_hash())}
        yield {"kind": "auth_hash", "settings": KEYS, "password_hash": password, "expect": expect}


def csp_values():
    yield from (None, False, True, "", "'self'", str(CSP.NONCE), [], [""], ["'self'"], ["a.com", "a.com"])
    yield from (["'self'", str(CSP.NONCE)], [str(CSP.NONCE)], [str(CSP.NONCE)] * 2, {"b.com", "'self'", "a.com"})
    yield {str(CSP.NONCE), "'self'"}


def csp_json(config):
    return {name: {"$set": sorted(value)} if isinstance(value, set) else value for name, value in config.items()}


def csp_cases():
    others = {"default-src": ["'self'"], "upgrade-insecure-requests": True}
    for value, more, nonce in product(csp_values(), [{}, others], [None, "", "abc123"]):
        config = {"script-src": value, **more}
        expect = {"policy": build_policy(config, nonce)}
        yield {"kind": "django_build_policy", "config": csp_json(config), "nonce": nonce, "expect": expect}
    settings = [{}, {"default-src": ["'self'"]}, {"script-src": [str(CSP.NONCE)], "img-src": None}]
    for enforced, tried, used in product(settings, settings, [False, True]):
        yield csp_response(enforced, tried, {}, [], used)
    for flag, config, used in product(["csp_override", "csp_report_only_override"], settings, [False, True]):
        yield csp_response(settings[1], settings[2], {flag: config}, [], used)
    for name in [CSP.HEADER_ENFORCE, CSP.HEADER_REPORT_ONLY]:
        yield csp_response(settings[1], settings[2], {}, [[str(name), "img-src *"]], False)


def csp_response(enforced, tried, flags, headers, used):
    nonces = []

    def respond(request):
        response = HttpResponse(headers=dict(headers))
        for flag, attribute in [("csp_override", "_csp_config"), ("csp_report_only_override", "_csp_ro_config")]:
            if flag in flags:
                setattr(response, attribute, flags[flag])
        if used:
            nonces.append(str(request._csp_nonce))
        return response

    words = {"SECURE_CSP": enforced, "SECURE_CSP_REPORT_ONLY": tried}
    with override_settings(**words):
        response = ContentSecurityPolicyMiddleware(respond)(RequestFactory().get("/"))
    names = [str(CSP.HEADER_ENFORCE), str(CSP.HEADER_REPORT_ONLY)]
    sent = {name: response[name] for name in names if name in response}
    for nonce in nonces:
        sent = {name: value.replace(nonce, "{nonce}") for name, value in sent.items()}
    request = {
        "method": "GET", "scheme": "http", "host": "testserver", "path": "/", "headers": [], "cookies": [],
        "body": None, "server": {"name": "testserver", "port": "80"},
    }  # fmt: skip
    about = {"length": len(nonces[0]), "url_safe_base64": True} if used else None
    inner = {"status": 200, "headers": headers, "flags": {**flags, **({"nonce_used": True} if used else {})}}
    expect = {"status": response.status_code, "view_ran": True, "headers": sent, "nonce": about}
    return {"kind": "csp", "settings": words, "request": request, "inner_response": inner, "expect": expect}
# headers


SET = ["Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Location"]
PATHS = ["/", "/a/b?c=d", "/?", "//a//b", "/%2F%2Fa", "/a%3Fb%23c", "/%C3%A9/", "/%E9/%ff", "/a;b=c", "/a%0D%0Ab", "/[~'x']"]


def header_cases():
    for path_, host, exempt in product(PATHS, [None, "a.example:8443"], [[], ["^a/", "é"]]):
        words = {"SECURE_SSL_REDIRECT": True, "SECURE_SSL_HOST": host, "SECURE_REDIRECT_EXEMPT": exempt}
        yield header_case("security", words, "http", path_)
    for age, below, preload, scheme in product([0, 1, 31536000], [False, True], [False, True], ["http", "https"]):
        words = {"SECURE_HSTS_SECONDS": age, "SECURE_HSTS_INCLUDE_SUBDOMAINS": below, "SECURE_HSTS_PRELOAD": preload}
        yield header_case("security", words, scheme)
    for policy in [None, "", "origin", " no-referrer ,same-origin", ["unsafe-url", "strict-origin"]]:
        yield header_case("security", {"SECURE_REFERRER_POLICY": policy}, "http")
    for policy, sniff in product([None, "same-origin", "same-origin-allow-popups", "unsafe-none"], [False, True]):
        words = {"SECURE_CROSS_ORIGIN_OPENER_POLICY": policy, "SECURE_CONTENT_TYPE_NOSNIFF": sniff}
        yield header_case("security", words, "http")
    for name, value in product(SET[:4], ["", "other"]):
        yield header_case("security", {"SECURE_HSTS_SECONDS": 60}, "https", headers=[[name, value]])
    for framing, flags, value in product(["DENY", "sameorigin", "Allow-From x"], [{}, {"xframe_options_exempt": True}], [None, "", "x"]):
        headers = [] if value is None else [["X-Frame-Options", value]]
        yield header_case("xframe", {"X_FRAME_OPTIONS": framing}, "http", flags=flags, headers=headers)


def header_case(kind, words, scheme, target="/", headers=(), flags=()):
    middleware, names = {
        "security": (SecurityMiddleware, SET), "xframe": (XFrameOptionsMiddleware, ["X-Frame-Options"]),
    }[kind]  # fmt: skip
    ran = []

    def respond(request):
        ran.append(request)
        response = HttpResponse(headers=dict(headers))
        for flag in flags:
            setattr(response, flag, flags[flag])
        return response

    # The settings that count where a case says nothing.
    words = {name: getattr(settings, name) for name in ["SECURE_REFERRER_POLICY", "SECURE_CROSS_ORIGIN_OPENER_POLICY"]} | words
    split, _, query = target.partition("?")
    request = RequestFactory().get("/", secure=scheme == "https", QUERY_STRING=query)
    request = type(request)({**request.environ, "PATH_INFO": unquote_to_bytes(split).decode("latin-1")})
    with override_settings(**words):
        response = middleware(respond)(request)
    described = {
        "method": "GET", "scheme": scheme, "host": "testserver", "path": target, "headers": [], "cookies": [],
        "body": None, "server": {"name": "testserver", "port": "443" if scheme == "https" else "80"},
    }  # fmt: skip
    sent = {name: response[name] for name in names if name in response}
    inner = {"status": 200, "headers": list(headers), "flags": dict(flags)}
    expect = {"status": response.status_code, "view_ran": bool(ran), "headers": sent}
    words = {**words, "ALLOWED_HOSTS": ["testserver"]}
    return {"kind": kind, "settings": words, "request": described, "inner_response": inner, "expect": expect}


# CORS

CORS = {
    "CORS_ALLOW_ALL_ORIGINS": False, "CORS_ALLOWED_ORIGINS": [], "CORS_ALLOWED_ORIGIN_REGEXES": [],
    "CORS_ALLOW_CREDENTIALS": False, "CORS_ALLOW_HEADERS": ["accept", "x-token"], "CORS_ALLOW_METHODS": ["GET", "PURGE"],
    "CORS_ALLOW_PRIVATE_NETWORK": False, "CORS_EXPOSE_HEADERS": [], "CORS_PREFLIGHT_MAX_AGE": 86400,
    "CORS_URLS_REGEX": "^.*$",
}  # fmt: skip
APP = "https://app.example"
ASKED = ["Access-Control-Request-Method", "PURGE"]


def cors_cases():
    named = {"CORS_ALLOWED_ORIGINS": [APP, "http://localhost:3000", "null", "file://"]}
    for origin in [
        None, "", APP, "HTTPS://app.example", "https://APP.example", f"{APP}/path?q#f", f"{APP}:443", f"{APP}.evil.example",
        "http://app.example", "https://user@app.example", "http://localhost:3000", "http://localhost", "null", "NULL",
        "file://", "file:///x", "//app.example", "app.example", "https://[::1", "https://", "*",
    ]:  # fmt: skip
        yield cors_case(named, "GET", origin)
        yield cors_case(named, "OPTIONS", origin, [ASKED])
    patterns = {"CORS_ALLOWED_ORIGIN_REGEXES": [r"^https://\w+\.app\.example$", r"http://a\.example"]}
    for origin in ["https://x.app.example", "https://x.y.app.example", "http://a.example.evil.example", "xhttp://a.example", APP]:
        yield cors_case(patterns, "GET", origin)
    for every, with_cookies, origin in product([False, True], [False, True], [APP, "null", None]):
        words = {"CORS_ALLOW_ALL_ORIGINS": every, "CORS_ALLOW_CREDENTIALS": with_cookies, "CORS_ALLOWED_ORIGINS": [APP]}
        yield cors_case({**words, "CORS_EXPOSE_HEADERS": ["X-Total", "Link"]}, "GET", origin)
        yield cors_case({**words, "CORS_PREFLIGHT_MAX_AGE": 0}, "OPTIONS", origin, [ASKED])
    for method, asked in product(["GET", "HEAD", "POST", "OPTIONS", "PURGE"], [[], [ASKED], [["Access-Control-Request-Method", ""]]]):
        yield cors_case(named, method, APP, asked)
    for opened, asked in product([False, True], ["true", "TRUE", "false", None]):
        headers = [] if asked is None else [["Access-Control-Request-Private-Network", asked]]
        yield cors_case({**named, "CORS_ALLOW_PRIVATE_NETWORK": opened}, "OPTIONS", APP, [ASKED, *headers])
    for pattern, target in product(["^/api/", "/api", "^/é$"], ["/api/x", "/x/api/", "/%61pi/", "/%C3%A9"]):
        yield cors_case({**named, "CORS_URLS_REGEX": pattern}, "GET", APP, target=target)
    for says, method, origin in product([False, True], ["GET", "OPTIONS"], [APP, "https://other.example", None]):
        yield cors_case({**named, "CORS_URLS_REGEX": "^/never$"}, method, origin, [ASKED], says=says)
    for vary in ["Cookie", "ORIGIN", "*", "Accept,  Origin"]:
        yield cors_case(named, "GET", APP, inner=[["Vary", vary]])
    yield cors_case(named, "GET", APP, inner=[["Access-Control-Allow-Origin", "https://other.example"]])


def cors_case(words, method, origin, headers=(), target="/", says=None, inner=()):
    def answer(sender, request, **_):
        return says

    ran = []

    def respond(request):
        ran.append(request)
        return HttpResponse(status=204, headers=dict(inner))

    words = {**CORS, **words}
    headers = [*([] if origin is None else [["Origin", origin]]), *headers]
    extra = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    request = RequestFactory().generic(method, "/", **extra)
    request = type(request)({**request.environ, "PATH_INFO": unquote_to_bytes(target).decode("latin-1")})
    if says is not None:
        check_request_enabled.connect(answer)
    with override_settings(**words):
        response = CorsMiddleware(respond)(request)
    check_request_enabled.disconnect(answer)
    allowances = {name.lower(): value for name, value in response.items() if name.lower().startswith("access-control-")}
    expect = {
        "short_circuit": not ran, "status": response.status_code, "vary": response.get("Vary"), "headers": allowances,
    }  # fmt: skip
    if not ran:
        expect["content_length"] = response["Content-Length"]
    described = {
        "method": method, "scheme": "http", "host": "testserver", "path": target, "headers": headers, "cookies": [],
        "body": None, "server": {"name": "testserver", "port": "80"},
    }  # fmt: skip
    return {
        "kind": "request", "settings": words, "request": described, "check_request_enabled": says,
        "inner_response": {"status": 204, "headers": list(inner)}, "expect": expect,
    }  # fmt: skip


# hosts, and `CommonMiddleware`

HOSTS = {
    "DEBUG": False, "ALLOWED_HOSTS": ["example.com", ".example.org", "[::1]"], "SECURE_PROXY_SSL_HEADER": None,
    "USE_X_FORWARDED_HOST": False, "USE_X_FORWARDED_PORT": False,
}  # fmt: skip
ROUTES = ["slash/", "noslash", "é/"]


def host_request(scheme, host, headers, target="/"):
    """The same request, described and made."""
    split, _, query = target.partition("?")
    extra = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    extra |= {} if host is None else {"HTTP_HOST": host}
    made = RequestFactory().get("/", secure=scheme == "https", QUERY_STRING=query, **extra)
    made = type(made)({**made.environ, "PATH_INFO": unquote_to_bytes(split).decode("latin-1")})
    described = {
        "method": "GET", "scheme": scheme, "host": host, "path": target, "headers": headers, "cookies": [],
        "body": None, "server": {"name": "testserver", "port": "443" if scheme == "https" else "80"},
    }  # fmt: skip
    return described, made


def host_cases():
    proxied = [["X-Forwarded-Host", "a.example.org:8443"], ["X-Forwarded-Port", "8443"], ["X-Forwarded-Proto", "https"]]
    believing = {
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"], "USE_X_FORWARDED_HOST": True,
        "USE_X_FORWARDED_PORT": True,
    }  # fmt: skip
    for host in [
        "example.com", "EXAMPLE.com:8000", "example.com.", "example.com:", "example.com:x", "a.example.org", "example.org",
        "badexample.org", "[::1]:8000", "[::1", "user@example.com", "example.com/", "exa mple.com", "", None, "evil.example",
    ]:  # fmt: skip
        yield host_case("get_host", {}, "http", host, proxied)
        yield host_case("get_host", {"ALLOWED_HOSTS": ["*"]}, "http", host, [])
        yield host_case("get_port", believing, "https", host, [])
        yield {"kind": "host", "op": "split_domain_port", "host": host or "", "expect": split_of(host or "")}
    for op, headers, scheme in product(["get_host", "get_port", "scheme"], [proxied, [["X-Forwarded-Proto", "http, https"]]], ["http", "https"]):
        yield host_case(op, believing, scheme, "example.com", headers)


def split_of(host):
    domain, port = split_domain_port(host)
    return {"domain": domain, "port": port}


def host_case(op, words, scheme, host, headers):
    words = {**HOSTS, **words}
    described, made = host_request(scheme, host, headers)
    with override_settings(**words):
        match op:
            case "get_host":
                try:
                    expect = {"host": made.get_host()}
                except DisallowedHost as refused:
                    expect = {"error": "DisallowedHost", "message": str(refused)}
            case "get_port":
                expect = {"port": made.get_port()}
            case "scheme":
                expect = {"scheme": made.scheme, "secure": made.is_secure()}
    return {"kind": "host", "op": op, "settings": words, "request": described, "expect": expect}


def common_cases():
    for www, slash, host, target in product(
        [False, True], [False, True], ["example.com", "www.example.com", "evil.example"],
        ["/slash?a=b", "/slash/", "/noslash", "/unknown", "/%C3%A9", "//evil.example/slash"],
    ):  # fmt: skip
        yield common_case({"PREPEND_WWW": www, "APPEND_SLASH": slash, "DISALLOWED_USER_AGENTS": []}, host, target, [])
    for agent in ["EvilBot", "Mozilla", ""]:
        words = {"PREPEND_WWW": False, "APPEND_SLASH": False, "DISALLOWED_USER_AGENTS": [{"$regex": "Bot$"}]}
        yield common_case(words, "example.com", "/noslash", [["User-Agent", agent]])


def common_case(words, host, target, headers):
    words = {**HOSTS, "ALLOWED_HOSTS": ["example.com", "www.example.com"], **words}
    described, made = host_request("http", host, headers, target)
    ran = []

    def respond(request):
        if request.path_info.lstrip("/") not in ROUTES or request.path_info.startswith("//"):
            return HttpResponse(status=404)
        ran.append(request)
        return HttpResponse()

    agents = [re.compile(agent["$regex"]) for agent in words["DISALLOWED_USER_AGENTS"]]
    site = ModuleType("site_of_routes")
    site.urlpatterns = [path(route, respond) for route in ROUTES]
    made.urlconf = site
    with override_settings(**{**words, "DISALLOWED_USER_AGENTS": agents}):
        response = convert_exception_to_response(CommonMiddleware(respond))(made)
    sent = {"Location": response["Location"]} if "Location" in response else {}
    inner = {"status": 200, "headers": [], "flags": {}}
    expect = {"status": response.status_code, "view_ran": bool(ran), "headers": sent}
    return {
        "kind": "common", "settings": words, "request": described, "inner_response": inner, "routes": ROUTES,
        "expect": expect,
    }  # fmt: skip


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    write("signing", signing_cases())
    write("csrf", [*csrf_tokens(), *(csrf_request(*asked) for asked in csrf_requests())])
    write("sessions", session_cases())
    write("csp", csp_cases())
    write("security_headers", [*header_cases(), *host_cases(), *common_cases()])
    write("cors", cors_cases())
