"""Run Colors on Apache Spark: Spark reads, shuffles and schedules, the DuckDB engine ranks.

    files or a DataFrame
        ──▶ arrivals, a task for each part of the input: the rows are profiled, rejected and
            excluded rows are written, the others go on with their normalised CUSIP
        ──▶ repartition by ranges of the CUSIP: whole securities, the ranges in order
        ──▶ ranking, a task for each range: the engine of a local run, one file for each task
        ──▶ the driver adopts one file of each task, and writes run_summary.json last

A task reports counts, hashes and the names of its files; no row comes to the driver. Tasks run
again when an executor is lost or slow, so each attempt writes files of its own.

    carriers   types in which columns pass through Spark
    reports    what tasks tell the driver
    outputs    files that a task writes
    tasks      the functions that run on executors
    inputs     the parts of an input, and what is known of it before the first row
    session    the session and its errors
    progress   the stages that Spark runs
    driver     the run
"""
