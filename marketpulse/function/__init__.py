"""The function in AWS Lambda, and its HTTP face."""

from marketpulse.function.events import application, handler

__all__ = ["application", "handler"]
