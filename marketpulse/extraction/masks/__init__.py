"""Masks of columns: what users ask for, masks of values, and how they get into a sample."""
