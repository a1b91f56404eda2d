"""Run queries on a folder of many runs with Apache Spark, in local mode, and print as JSON what each found: columns and rows.
Arguments: the folder, files of queries."""

import json
import os
import sys
from pathlib import Path

try:
    from pyspark.sql import SparkSession
except ImportError:
    sys.exit(77)

LEVELS = "kernel=*/workload=*/host=*/run=*"


def session() -> SparkSession:
    """Spark in this process's machine, quiet, with the identifiers of SQL's standard."""
    builder = SparkSession.builder.master("local[2]").appName("runs")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    }.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def main() -> None:
    queries = {Path(name).stem: Path(name).read_text() for name in sys.argv[2:]}
    # Names of files are those below the folder.
    os.chdir(sys.argv[1])
    spark = session()
    names = {file.name for file in Path().glob(f"{LEVELS}/*.parquet")}
    for name in names:
        rows = spark.read.option("basePath", ".").option("mergeSchema", "true").parquet(f"{LEVELS}/{name}")
        rows.createOrReplaceTempView(name.removesuffix(".parquet").replace("-", "_"))
    found = {}
    for name, text in queries.items():
        answer = spark.sql(text)
        found[name] = {"columns": answer.columns, "rows": [list(row) for row in answer.collect()]}
    json.dump(found, sys.stdout, default=float)


main()
