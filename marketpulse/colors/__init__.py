"""Run Colors: a flat list of colors becomes parents and children, one group per security.

options      what a caller may choose
prepare      inputs ──▶ columns ──▶ rules bound to columns ──▶ engine
engine       arrivals (DuckDB) ──▶ profile ──▶ one statement for each output
             cells: SQL about one column       ranking: SQL about rows
             groups, cusip, malformed: what is done outside of SQL
run          writes and counts the outputs     explain, funnel: the same engine, other questions
query        filters what a run has published
"""
