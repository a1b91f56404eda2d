"""A trace of the workload `truth` compared with what the workload says it did.

table: the program's table in a recording's console. report: the analyzer's rows and bios. spans, shadow: which bytes each
row wrote, and which of them must reach the disk. rows, carried, origins: the comparisons. result: their counts.
"""
