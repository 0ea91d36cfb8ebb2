import json

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.safestring import mark_safe
from django.views import View
from django.views.decorators.csrf import csrf_exempt


def who(request):
    user = request.user
    last_login = user.last_login.timestamp() if user.is_authenticated else None
    return JsonResponse({"user": user.get_username() or None, "last_login": last_login})


def form(request):
    if request.method == "POST":
        return JsonResponse({"got": request.POST.get("text")})
    return render(request, "form.html")


@csrf_exempt
def say(request):
    """Says what the body lists: level, text, extra tags, and whether the text is markup."""
    for level, text, tags, safe in json.loads(request.body):
        messages.add_message(request, level, mark_safe(text) if safe else text, tags)
    return HttpResponse("said")


def show_messages(request):
    return render(request, "messages.html")


class Desk(PermissionRequiredMixin, View):
    permission_required = "auth.view_user"

    def get(self, request):
        return HttpResponse("ran")


@permission_required(["auth.view_user", "auth.add_user"])
def till(request):
    return HttpResponse("ran")


@csrf_exempt
def session(request):
    """Does to the session what the body says, and tells what came of it."""
    op, *args = json.loads(request.body)
    value = OPS[op](request.session, *args)
    ends = {"age": request.session.get_expiry_age(), "at_close": request.session.get_expire_at_browser_close()}
    return JsonResponse({"value": value, "data": dict(request.session.items()), **ends})


def put(session, key, value):
    session[key] = value


def set_expiry(session, value):
    session.set_expiry(parse_datetime(value) if isinstance(value, str) else value)


OPS = {
    "get": lambda session, key: session.get(key),
    "set": put,
    "pop": lambda session, key: session.pop(key, None),
    "set_expiry": set_expiry,
    "flush": lambda session: session.flush(),
    "cycle_key": lambda session: session.cycle_key(),
    "data": lambda session: None,
}
