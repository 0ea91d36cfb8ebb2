"""Serves the site on a free port of 127.0.0.1, tells the port on the first line, and ends with stdin."""

import os
import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mirror.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def end_with_stdin():
    sys.stdin.read()
    os._exit(0)


server = make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=Quiet)
threading.Thread(target=end_with_stdin, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
