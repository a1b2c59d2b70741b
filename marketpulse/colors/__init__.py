"""Run Colors: a flat list of colors becomes parents and their children, security by security."""
