"""The function in AWS Lambda: it runs on a schedule, and answers HTTP."""

from marketpulse.function.events import application, handler

__all__ = ["application", "handler"]
