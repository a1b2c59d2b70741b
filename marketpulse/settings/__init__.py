"""Settings: where they come from, and the file that keeps what you would repeat."""
