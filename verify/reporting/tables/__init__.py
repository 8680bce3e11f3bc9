"""The tables of a report, one a file: a row of columns for each, a row of values for each thing told of.

A new column is one row in its table's file; a new table is a file here and a row in `verify.reporting.document.TABLES`.
"""
