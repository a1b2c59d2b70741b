"""Masks of columns: other values in place of those that a sample must not show.

rules          what users write, and the columns that it means
tables         the masks of a sample ──▶ columns: which masks a type can have ──▶ cells
key            the secret, and what follows from it ──▶ permutation: a mask of digits
"""
