#!/usr/bin/env python3
"""Renders the pages of `conformance/pages` with Django; prints them, and where Django's own catalogues are, as JSON."""

import array
import datetime
import json
import struct
import sys
import tempfile
from pathlib import Path

import django
from django.conf import settings
from django.template.loader import render_to_string

PAGES = Path(__file__).resolve().parents[1] / "pages"


def decoded(value):
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$date" in value:
        return datetime.date.fromisoformat(value["$date"])
    if "$datetime" in value:
        return datetime.datetime.fromisoformat(value["$datetime"])
    if "$time" in value:
        return datetime.time.fromisoformat(value["$time"])
    return {key: decoded(item) for key, item in value.items()}


def text(line):
    return json.loads(line[line.index('"') :])


def messages(po):
    """The entries of a .po file: of the few forms that ours has."""
    found, entry, field = {}, {}, None
    for line in po.read_text(encoding="utf-8").splitlines() + [""]:
        if not line and entry:
            key = entry["msgid"]
            if "msgctxt" in entry:
                key = entry["msgctxt"] + "\x04" + key
            if "msgid_plural" in entry:
                key += "\x00" + entry["msgid_plural"]
            forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr")]
            found[key] = "\x00".join(forms)
            entry = {}
        elif line.startswith('"'):
            entry[field] += text(line)
        elif line and not line.startswith("#"):
            field = line.split(" ")[0]
            entry[field] = text(line)
    return found


def write_mo(po, mo):
    """GNU's format of catalogues, as Python's msgfmt.py writes it."""
    entries = sorted((key.encode(), value.encode()) for key, value in messages(po).items())
    ids, strings, offsets = b"", b"", []
    for key, value in entries:
        offsets.append((len(ids), len(key), len(strings), len(value)))
        ids += key + b"\0"
        strings += value + b"\0"
    start = 7 * 4 + 16 * len(entries)
    keys, values = [], []
    for key_at, key_length, value_at, value_length in offsets:
        keys += [key_length, key_at + start]
        values += [value_length, value_at + start + len(ids)]
    head = struct.pack("Iiiiiii", 0x950412DE, 0, len(entries), 28, 28 + len(entries) * 8, 0, 0)
    mo.parent.mkdir(parents=True)
    mo.write_bytes(head + array.array("i", keys + values).tobytes() + ids + strings)


def main():
    with tempfile.TemporaryDirectory() as folder:
        write_mo(PAGES / "locale/de/LC_MESSAGES/django.po", Path(folder, "de/LC_MESSAGES/django.mo"))
        settings.configure(
            USE_TZ=False,
            TIME_ZONE="UTC",
            LANGUAGE_CODE="en-us",
            LOCALE_PATHS=[folder],
            STATIC_URL="/static/",
            URLIZE_ASSUME_HTTPS=True,
            INSTALLED_APPS=["django.contrib.humanize", "django.contrib.staticfiles"],
            TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [PAGES / "templates"]}],
        )
        django.setup()
        recorded = json.loads((PAGES / "contexts.json").read_text(encoding="utf-8"))
        pages = {}
        for name, context in recorded["pages"].items():
            context = decoded({**recorded["common"], **context})
            pages[name] = render_to_string(name, context)
        catalogues = str(Path(django.__file__).parent / "conf/locale")
        humanize = str(Path(django.__file__).parent / "contrib/humanize/locale")
        json.dump({"pages": pages, "catalogues": [catalogues, humanize]}, sys.stdout)


main()
