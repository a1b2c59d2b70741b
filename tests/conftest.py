"""How many examples Hypothesis tries: `pytest --hypothesis-profile thorough` tries thousands."""

from hypothesis import settings

settings.register_profile("quick", max_examples=120, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=3000, deadline=None, print_blob=True)
settings.load_profile("quick")
