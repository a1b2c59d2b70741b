"""Extraction: what a source holds, samples of it, and code that is generated from its schemas.

catalog             tables and their columns; they may be written to a bundle
sample_options      what a sample contains, and the plan that follows
sample              tables ──▶ table_sampler: one table, all of its files ──▶ a bundle
    sessions        several tables at the same time
    unfinished      what an interrupted sample leaves; journal: the rows of a table in it
    joined_source   the rows that foreign keys refer to
    masks           other values in place of those of some columns
verify              every file and every row of a bundle
source_comparison   what two sources have differently; column_profile: values of a column
ddl                 statements for DuckDB; pydantic_models: classes for Python
"""
