"""A small site with Django's defaults, on the database and keys of the Donjon site beside it."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ["DONJON_SECRET_KEY"]
SECRET_KEY_FALLBACKS = os.environ.get("DONJON_SECRET_KEY_FALLBACKS", "").split()
DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "mirror.urls"
USE_TZ = True
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/who/"
LOGOUT_REDIRECT_URL = "/who/"
PASSWORD_HASHERS = ["mirror.hashers.PBKDF2"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def database(place):
    """The database of a URL, as the Donjon site's setting has it; a path is a file of SQLite."""
    url = urlsplit(place)
    if url.scheme not in ENGINES:
        options = {"timeout": 20}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": place, "OPTIONS": options}
    if url.scheme == "mysql":
        import pymysql

        # The version of mysqlclient that Django asks for.
        pymysql.version_info = (2, 2, 8, "final", 0)
        pymysql.install_as_MySQLdb()
    return {
        "ENGINE": ENGINES[url.scheme],
        "NAME": url.path.lstrip("/"),
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
    }


ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}
DATABASES = {"default": database(os.environ["DONJON_DB"])}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
