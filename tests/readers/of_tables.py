"""Read the tables in a directory with DuckDB, csv, ndjson and parquet, and print as JSON how many rows each has, the types of all
columns of parquet, and the steps of btt over the table of stages: count, sum, least and greatest, in nanoseconds."""

import json
import sys
from pathlib import Path

try:
    import duckdb
except ImportError:
    sys.exit(77)

STEPS = {"Q2G": ("Q", "G"), "G2I": ("G", "I"), "Q2M": ("Q", "M"), "I2D": ("I", "D"), "M2D": ("M", "D"), "D2C": ("D", "C"),
         "Q2C": ("Q", "C")}


def rows(query: str) -> list:
    """The rows of a query."""
    return duckdb.sql(query).fetchall()


def main() -> None:
    folder = Path(sys.argv[1])
    readers = {".csv": "read_csv", ".ndjson": "read_json", ".parquet": "read_parquet"}
    counts = {file.name: rows(f"select count(*) from {readers[file.suffix]}('{file}')")[0][0]
              for file in folder.iterdir() if file.suffix in readers}
    types = {kind for file in folder.glob("*.parquet") for _, kind, *_ in rows(f"describe select * from read_parquet('{file}')")}
    stages = f"read_parquet('{folder / 'stages.parquet'}')"
    letters = ", ".join(f"max(ns) filter (letter = '{letter}') as {letter}" for letter in "QGMIDC")
    steps = {}
    for step, (begin, end) in STEPS.items():
        # btt counts the insertion of a request for the bio that it was made for.
        only = "where M is null" if begin == "I" else ""
        query = f"""select count({end} - {begin}), sum({end} - {begin}), min({end} - {begin}), max({end} - {begin})
                    from (select bio, {letters} from {stages} group by bio) {only}"""
        steps[step] = [int(value or 0) for value in rows(query)[0]]
    json.dump({"rows": counts, "types": sorted(types), "steps": steps}, sys.stdout)


main()
