"""Asks Django how each language that it ships writes dates and numbers, and what the languages are called.

    python -B formats.py > ../../crates/donjon-html/src/locale/table.rs

Only what a language sets itself is written; the rest follows from its parent (`de-at` from `de`) and from the site.
"""

import importlib
from pathlib import Path

from django.conf import global_settings
from django.conf import locale as languages
from django.conf.locale import LANG_INFO

TEXTS = [
    "DATE_FORMAT",
    "DATETIME_FORMAT",
    "TIME_FORMAT",
    "YEAR_MONTH_FORMAT",
    "MONTH_DAY_FORMAT",
    "SHORT_DATE_FORMAT",
    "SHORT_DATETIME_FORMAT",
    "DECIMAL_SEPARATOR",
    "THOUSAND_SEPARATOR",
]
HEAD = """//! How the languages that Django ships write dates and numbers, and what they are called.
//!
//! Facts asked of Django 6.1 by `conformance/django/formats.py`, which writes this file. The texts of a language stand
//! in the order of [`super::FormatName`]; what a language does not set is `None`.
"""


def text(value):
    """A Rust literal; what the eye can't see is written as its number."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c == " " or c.isprintable() else f"\\u{{{ord(c):x}}}" for c in escaped) + '"'


def option(value, write):
    return "None" if value is None else f"Some({write(value)})"


def grouping(value):
    sizes = [value] if isinstance(value, int) else list(value)
    return "&[" + ", ".join(str(size) for size in sizes if value != 0) + "]"


def formats():
    for folder in sorted(Path(languages.__file__).parent.iterdir()):
        try:
            module = importlib.import_module(f"django.conf.locale.{folder.name}.formats")
        except ImportError:
            continue
        yield folder.name, module


def row(name, module):
    texts = ", ".join(option(getattr(module, key, None), text) for key in TEXTS)
    week = option(getattr(module, "FIRST_DAY_OF_WEEK", None), str)
    groups = option(getattr(module, "NUMBER_GROUPING", None), grouping)
    return f"    Row {{ locale: {text(name)}, texts: [{texts}], first_day_of_week: {week}, number_grouping: {groups} }},"


def language(code, info):
    fallback = ", ".join(text(other) for other in info.get("fallback", []))
    names = f"name: {text(info.get('name', ''))}, name_local: {text(info.get('name_local', ''))}"
    bidi = str(info.get("bidi", False)).lower()
    return f"    Language {{ code: {text(code)}, {names}, is_bidi: {bidi}, fallback: &[{fallback}] }},"


def table(name, kind, rows):
    print(f"\n#[rustfmt::skip]\npub(super) static {name}: &[{kind}] = &[")
    print(*rows, sep="\n")
    print("];")


def main():
    print(HEAD)
    print("use super::formats::Row;\nuse super::language::Language;")
    table("FORMATS", "Row", (row(*pair) for pair in formats()))
    table("LANGUAGES_KNOWN", "Language", (language(code, LANG_INFO[code]) for code in sorted(LANG_INFO)))
    pairs = (f"    ({text(code)}, {text(name)})," for code, name in global_settings.LANGUAGES)
    table("LANGUAGES", "(&str, &str)", pairs)
    table("LANGUAGES_BIDI", "&str", (f"    {text(code)}," for code in global_settings.LANGUAGES_BIDI))


main()
