"""Extraction: what a source holds, samples of it, and what is made of its schemas."""
