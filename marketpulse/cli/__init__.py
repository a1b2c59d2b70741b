"""The command line."""

from marketpulse.cli.app import app, main, rules_app, ssm_app

__all__ = ["app", "main", "rules_app", "ssm_app"]
