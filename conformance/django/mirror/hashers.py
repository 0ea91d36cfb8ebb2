"""Django's hasher; with the work factor of the test where it names one."""

import os

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class PBKDF2(PBKDF2PasswordHasher):
    iterations = int(os.environ.get("DONJON_ITERATIONS", PBKDF2PasswordHasher.iterations))
