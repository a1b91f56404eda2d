"""A folder of the traces of many runs (`iotrace-analyze export --to parquet --append`), asked in SQL.

In: the folder, the text of a query. Out: names of columns, and rows. Each table is a view: `block-events` is `block_events`. The
engine is DuckDB, which reads and writes nothing outside of the folder.
"""

import importlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable

from .say import Problem
from .tools import DUCKDB, python_tools

QUERIES = Path(__file__).resolve().parent.parent / "queries"
# Of the folder: kernel, workload, host, run.
LEVELS = ("kernel", "workload", "host", "run")
SUFFIX = ".parquet"


@dataclass(frozen=True)
class Answer:
    """What a query found."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def named() -> dict[str, str]:
    """The queries that are shipped, each with its summary: the comment that it begins with, up to the first stop."""
    found = {}
    for file in sorted(QUERIES.glob("*.sql")):
        comment = re.match(r"(--.*\n)+", file.read_text())
        text = " ".join(line.removeprefix("--").strip() for line in comment.group().splitlines()) if comment else ""
        found[file.stem] = re.split(r"[.:]( |$)", text)[0]
    return found


def text_of(query: str) -> str:
    """A query's text, by its name, by its file, or as it is."""
    if query in named():
        return (QUERIES / f"{query}.sql").read_text()
    if query.endswith(".sql"):
        return Path(query).read_text()
    if not re.search(r"\s", query.strip()):
        raise Problem(f"no query '{query}': --list prints those that there are; otherwise specify a file or the text of a query")
    return query


def tables(folder: Path) -> set[str]:
    """The tables that runs in a folder have."""
    found: set[str] = set()
    for run in folder.glob("/".join(f"{level}=*" for level in LEVELS)):
        found.update(entry.name.removesuffix(SUFFIX) for entry in os.scandir(run) if entry.name.endswith(SUFFIX))
    if not found:
        raise Problem(f"{folder} has no run: add some with iotrace-analyze export TRACE --to parquet --append {folder}")
    return found


def view(table: str) -> str:
    """The name of a table's view."""
    return table.replace("-", "_")


def mentioned(text: str, names: Iterable[str]) -> list[str]:
    """Those of the tables whose views a text names: the files of the others need not be opened."""
    words = set(re.findall(r"\w+", text))
    return sorted(name for name in names if view(name) in words)


class Missing(Problem):
    """The engine cannot be had."""

    status = 5


def engine_module() -> Any:
    """DuckDB."""
    try:
        sys.path.insert(0, os.fspath(python_tools("sql", [DUCKDB])))
    except Problem as problem:
        raise Missing(str(problem)) from None
    return importlib.import_module("duckdb")


def ask(folder: Path, text: str) -> Answer:
    """Run a query on a folder."""
    there = tables(folder)
    duckdb = engine_module()
    engine = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    # Names of files are those below the folder: an = in its own path makes no column.
    os.chdir(folder)
    engine.execute("set allowed_directories = ['.']; set enable_external_access = false; set lock_configuration = true")
    try:
        for table in mentioned(text, there):
            files = "/".join([*(f"{level}=*" for level in LEVELS), table + SUFFIX])
            engine.execute(f"create view {view(table)} as select * from read_parquet('{files}', hive_partitioning = true, "
                           "hive_types_autocast = false, union_by_name = true)")
        done = engine.execute(text)
        if done.description is None:
            raise Problem("the query has no result")
        return Answer([column[0] for column in done.description], done.fetchall())
    except duckdb.Error as error:
        raise Problem(f"{error}{missing(str(error), there)}") from None


def missing(error: str, there: set[str]) -> str:
    """What to do if an error is that a table is not in the folder."""
    found = re.search(r"Table with name (\w+) does not exist", error)
    return f"\nthe runs have the tables {', '.join(sorted(there))}; export adds others with --table" if found else ""
