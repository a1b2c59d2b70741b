"""Reports: a bundle or a run as one HTML page that needs no network."""

from __future__ import annotations

from marketpulse.report.report import Report, report_page, require_charts, write_report

__all__ = ["Report", "report_page", "require_charts", "write_report"]
