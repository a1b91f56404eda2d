"""All comparisons of a table with a report."""

from . import carried, origins, rows, shadow
from .report import Json, Report
from .result import Result
from .table import Table


def check(table: Table, document: Json) -> Result:
    """Compare what a report says with what the workload did."""
    result, report = Result(), Report(document)
    matches = rows.compare(table, report, result)
    carried.compare(table, report, shadow.build(table.rows), matches, result)
    origins.compare(table, report, matches, result)
    return result
