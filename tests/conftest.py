"""How many examples Hypothesis tries: `pytest --hypothesis-profile thorough` tries thousands."""

import signal

from hypothesis import settings

settings.register_profile("quick", max_examples=120, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=3000, deadline=None, print_blob=True)
settings.load_profile("quick")

# A shell's background jobs ignore Ctrl-C and hand that down; what the tests start must not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
