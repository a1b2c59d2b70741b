"""Run Colors: a flat list of colors becomes parents and children, one group per security.

options      what a caller may choose
prepare      inputs ──▶ columns, their spellings ──▶ rules bound to columns ──▶ engine
engine       arrivals (DuckDB) ──▶ profile ──▶ one statement for each output
             cells: SQL about one column       ranking: SQL about rows
             groups, malformed: what is done outside of SQL
run          writes the outputs ──▶ tally: their counts ──▶ results: the run, its summary
             history: a run for each day       spark: a run on a cluster
explain      the same engine, other questions  funnel, rule_examples: about rules
finished_run a run that is read again          query: filters what it has published
"""
