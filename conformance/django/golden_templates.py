#!/usr/bin/env python3
"""Records what Django makes of the templates below: the golden file of donjon-html's tests.

    python conformance/django/golden_templates.py > crates/donjon-html/tests/golden/tags.json
"""

import json

import django
from django.conf import settings
from django.template import Context, Engine

settings.configure(USE_TZ=False, TIME_ZONE="UTC", USE_I18N=True, LANGUAGE_CODE="en-us", FORMS_URLFIELD_ASSUME_HTTPS=True)
django.setup()

PARENTS = {
    "base.html": "[{% block a %}A{% endblock %}|{% block b %}B{% block c %}C{% endblock %}{% endblock %}]{{ x }}",
    "child.html": "{% extends 'base.html' %}{% block b %}b({{ block.super }}){% endblock %}",
    "grand.html": "{% extends 'child.html' %}{% block c %}c{{ block.super }}{% endblock %}{% block b %}g{{ block.super }}{% endblock b %}",
    "great.html": "{# first #} {% extends 'grand.html' %}{% block a %}{{ block.super|lower }}{% if block.super %}!{% endif %}{% endblock %}",
    "part.html": "({{ x }},{{ y }})",
    "loop.html": "{% cycle 'a' 'b' %}{% ifchanged %}{{ x }}{% endifchanged %}",
    "list.html": "{{ x }}{% if depth %}{% with depth=depth|add:-1 %}{% include 'list.html' %}{% endwith %}{% endif %}",
    "set.html": "{% firstof 'in' as x %}{{ x }}",
    "dir/one.html": "one {% include './two.html' %}{% include '../part.html' %}",
    "dir/two.html": "two",
    "partials.html": "{% partialdef p %}({{ x }}){% endpartialdef %}{% partial p %}{% partialdef q inline %}q{% partial p %}{% endpartialdef q %}",
}

X = {"x": "<X>", "n": 3, "l": [1, 2, 3], "d": {"k": "v", "z": 1}, "t": True, "f": 0.5, "none": None, "e": []}

CASES = [
    # expressions
    ("{{ x }}{{ x|safe }}{{ missing }}{{ d.k }}{{ l.0 }}{{ l.9 }}{{ x.0 }}", X),
    ("{{ 1 }}{{ -1 }}{{ 1.5 }}{{ 1e3 }}{{ 007 }}{{ 1_0 }}{{ '<' }}{{ \"a'b\" }}{{ _('hi') }}", {}),
    ("{{ x|default:'d' }}{{ missing|default:'<d>' }}{{ missing|default:x }}{{ none|default_if_none:'n' }}", X),
    ("{{ l|join:', ' }}{{ l|length }}{{ l|first }}{{ l|last }}{{ n|add:2 }}{{ x|upper|lower }}", X),
    ("{{ True }}{{ False }}{{ None }}{{ t }}{{ none }}{{ f }}{{ l }}{{ d }}", X),
    ("{{ a..b }}{{ x. }}", X),
    # if
    ("{% if t and not none or e %}1{% else %}2{% endif %}", X),
    ("{% if n > 2 and n <= 3 %}a{% elif n == 4 %}b{% else %}c{% endif %}{% if n != 3 %}d{% endif %}", X),
    ("{% if 2 in l %}in{% endif %}{% if 9 not in l %}not{% endif %}{% if 'k' in d %}k{% endif %}{% if '<' in x %}s{% endif %}", X),
    ("{% if none is None %}1{% endif %}{% if n is not None %}2{% endif %}{% if x < 1 %}3{% endif %}{% if missing == None %}4{% endif %}", X),
    ("{% if not not t %}1{% endif %}{% if missing|default:n > 2 %}2{% endif %}{% if e %}{% elif t %}3{% endif %}", X),
    # for
    ("{% for i in l %}{{ forloop.counter }}{{ forloop.counter0 }}{{ forloop.revcounter }}{{ forloop.revcounter0 }}{{ forloop.first }}{{ forloop.last }}{{ forloop.length }};{% endfor %}", X),
    ("{% for i in l reversed %}{{ i }}{% endfor %}{% for i in e %}x{% empty %}none{% endfor %}{% for i in missing %}{% empty %}m{% endfor %}", X),
    ("{% for k, v in d.items %}{{ k }}={{ v }} {% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'ab' %}{{ c }}-{% endfor %}", X),
    ("{% for i in l %}{% for j in l %}{{ forloop.parentloop.counter }}{{ j }}{% endfor %}{% endfor %}", X),
    ("{% for i in l %}{% firstof y 'no' %}{% firstof i as y %}{% endfor %}{{ y }}", X),
    ("{% for a,b in pairs %}{{ a }}{{ b }}{% endfor %}", {"pairs": [[1, 2], [3, 4]]}),
    # with, autoescape, filter, spaceless, comments
    ("{% with a=x b=n|add:1 %}{{ a }}{{ b }}{% endwith %}{{ a }}{% with x as y %}{{ y }}{% endwith %}", X),
    ("{% autoescape off %}{{ x }}{% autoescape on %}{{ x }}{% endautoescape %}{{ x|upper }}{% endautoescape %}", X),
    ("{% filter upper|cut:'A' %}a{{ x }}{% endfilter %}{% filter force_escape %}<b>{{ x }}</b>{% endfilter %}", X),
    ("{% spaceless %} <p>\n <b> x </b> </p> {% endspaceless %}", {}),
    ("a{# c #}b{% comment 'note' %}{% if %}{{ x{% endcomment %}c{% verbatim %}{{ x }}{% if %}{% endverbatim %}{% verbatim m %}{% endverbatim %}{% endverbatim m %}", X),
    ("{% templatetag openblock %}{% templatetag closevariable %}{% templatetag opencomment %}{{\n}}", {}),
    # cycle, ifchanged, firstof, regroup, widthratio
    ("{% for i in l %}{% cycle 'a' x 'c' %}{% endfor %}{% cycle 'p' 'q' as c %}{% cycle c %}{{ c }}", X),
    ("{% for i in l %}{% cycle 'a' 'b' as c silent %}{{ c }}{% if i == 2 %}{% resetcycle c %}{% endif %}{% endfor %}", X),
    ("{% for i in v %}{% ifchanged %}{{ i }}{% endifchanged %}{% ifchanged i %}!{% else %}={% endifchanged %}{% endfor %}", {"v": [1, 1, 2, 2, 1]}),
    ("{% for i in v %}{% for j in v %}{% ifchanged i j %}{{ i }}{{ j }} {% endifchanged %}{% endfor %}{% endfor %}", {"v": [1, 1]}),
    ("{% firstof missing e x 'z' %}{% firstof missing '<d>' %}{% firstof missing as y %}[{{ y }}]{% firstof x as y %}{{ y }}", X),
    ("{% regroup p by g as gs %}{% for g in gs %}{{ g.grouper }}:{% for i in g.list %}{{ i.n }}{% endfor %} {% endfor %}{% for k, v in gs %}{{ k }}{{ v|length }}{% endfor %}", {"p": [{"g": "a", "n": 1}, {"g": "a", "n": 2}, {"g": "b", "n": 3}, {"g": "a", "n": 4}]}),
    ("{% regroup p by g|upper as gs %}{% for g in gs %}{{ g.grouper }}{{ g.list|length }}{% endfor %}", {"p": [{"g": "a"}, {"g": "A"}]}),
    ("{% widthratio 175 200 100 %} {% widthratio 173 200 100 %} {% widthratio 1 0 5 %} {% widthratio x 1 5 %} {% widthratio 1 2 10 as w %}{{ w }}", X),
    ("{% querystring q a=1 b=None c=l %}", {"q": {"a": "0", "b": "1", "z": "é +"}, "l": [1, None, 2]}),
    ("{% lorem 3 w %}|{% lorem 1 p %}|{% lorem 19 w %}", {}),
    # inheritance and includes
    ("{% include 'part.html' %}{% include 'part.html' with y=n %}{% include 'part.html' with y=n only %}{% include name with y=1 %}", {**X, "name": "part.html"}),
    ("{% for i in l %}{% include 'loop.html' %}{% endfor %}", X),
    ("{% include 'list.html' with depth=3 %}", X),
    ("{% include 'set.html' %}{{ x }}", X),
    ("{% include names %}", {**X, "names": ["nothing.html", "part.html"]}),
    ("{% include 'dir/one.html' %}", X),
    ("{% include 'partials.html' %}{% include 'partials.html#p' %}", X),
    *((("{% include '" + name + "' %}"), X) for name in ("base.html", "child.html", "grand.html", "great.html")),
    ("{% extends parent %}{% block a %}{% for i in l %}{{ i }}{{ block.super }}{% endfor %}{% endblock %}", {**X, "parent": "child.html"}),
    ("{% extends 'base.html' %}ignored{% block a %}{% block d %}d{% endblock %}{% include 'base.html' %}{% endblock %}", X),
    # translation without a catalogue
    ("{% load i18n %}{% trans 'a < b' %}{% translate x %}{% trans 'x' as y %}{{ y }}{% trans x|upper noop %}", X),
    ("{% load i18n %}{% blocktranslate with a=x %}Hi {{ a }} 100%{% endblocktranslate %}{% blocktrans trimmed %}\n a\n\n  b {{ x }}\n{% endblocktrans %}", X),
    ("{% load i18n %}{% blocktranslate count c=n %}one {{ c }}{% plural %}many {{ c }}{% endblocktranslate %}{% blocktranslate count c=1 asvar v %}one{% plural %}many{% endblocktranslate %}{{ v }}", X),
    ("{% load static %}{% load add from nothing %}", {}),
]


def main():
    engine = Engine(loaders=[("django.template.loaders.locmem.Loader", PARENTS)])
    engine.template_libraries.update(
        {name: __import__(f"django.templatetags.{name}", fromlist=["register"]).register for name in ("i18n", "static")}
    )
    out = []
    for source, context in CASES:
        case = {"source": source, "context": context}
        try:
            case["output"] = engine.from_string(source).render(Context(dict(context)))
        except Exception:
            case["output"] = None
        out.append(case)
    print(json.dumps({"templates": PARENTS, "cases": out}, indent=1, ensure_ascii=False))


main()
