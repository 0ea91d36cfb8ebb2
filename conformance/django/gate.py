"""Django's gate, asked request by request: a JSON line in, a JSON line out.

A line with "settings" builds the gate anew; one with "request" is put to it. A setting may be
{"$regex": …}, a compiled expression. Django before 6.0 has no CSP: there the gate is without.
"""

import io
import json
import logging
import re
import sys
from urllib.parse import unquote_to_bytes

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, HttpResponseRedirect
from django.test import override_settings
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_exempt, xframe_options_sameorigin
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie

if django.VERSION >= (6, 0):
    from django.views.decorators.csp import csp_override

    CSP_MIDDLEWARE = ["django.middleware.csp.ContentSecurityPolicyMiddleware"]
else:
    CSP_MIDDLEWARE = []

    def csp_override(policy):
        return lambda view: view


MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    *CSP_MIDDLEWARE,
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

settings.configure(
    ALLOWED_HOSTS=["testserver"],
    CORS_ALLOWED_ORIGINS=[],
    DEBUG=False,
    INSTALLED_APPS=["corsheaders"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=MIDDLEWARE,
    ROOT_URLCONF=__name__,
    SECRET_KEY="the-key-of-no-site-0123456789abcdefghijklmnopqrst",
    USE_I18N=False,
)
django.setup()
logging.disable(logging.CRITICAL)


def page(request):
    return HttpResponse("ok")


def own(request):
    response = HttpResponse("ok")
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Content-Security-Policy"] = "default-src 'none'"
    response["Referrer-Policy"] = "no-referrer"
    response["Vary"] = "Accept"
    return response


def fail(request):
    raise RuntimeError("on purpose")


def redirect(request):
    return HttpResponseRedirect("/there/")


urlpatterns = [
    path("", page),
    path("exempt/", csrf_exempt(page)),
    path("frame/", xframe_options_exempt(page)),
    path("same/", xframe_options_sameorigin(page)),
    path("csp/", csp_override({"default-src": ["'none'"]})(page)),
    path("cookie/", ensure_csrf_cookie(page)),
    path("own/", own),
    path("fail/", fail),
    path("redirect/", redirect),
]


def environ(request):
    """The request as a WSGI server would give it: wsgiref joins headers of one name with a comma."""
    target, _, query = request["path"].partition("?")
    body = (request["body"] or "").encode()
    made = {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "443" if request["scheme"] == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": request["scheme"],
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request["headers"]:
        name = name.upper().replace("-", "_")
        name = name if name == "CONTENT_TYPE" else f"HTTP_{name}"
        made[name] = f"{made[name]},{value}" if name in made else value
    return made


def answer(gate, request):
    heard = {}

    def start_response(status, headers, exc_info=None):
        heard["status"] = int(status.split()[0])
        heard["headers"] = [[name.lower(), value] for name, value in headers]

    response = gate(environ(request), start_response)
    for _ in response:
        pass
    response.close()
    return heard


def setting(value):
    """A setting's value, its regular expressions compiled."""
    match value:
        case {"$regex": pattern}:
            return re.compile(pattern)
        case list():
            return [setting(inner) for inner in value]
        case _:
            return value


def main():
    overridden = gate = None
    for line in sys.stdin:
        asked = json.loads(line)
        if "settings" in asked:
            if overridden:
                overridden.disable()
            values = {name: setting(value) for name, value in asked["settings"].items()}
            overridden = override_settings(**values)
            overridden.enable()
            gate = get_wsgi_application()
            continue
        print(json.dumps(answer(gate, asked["request"])), flush=True)


main()
