"""The columnar twin: sealed ranges of a log as typed Parquet, and the unsealed tail read from PostgreSQL.

    declaring.py   what a table is            tables/   the tables, one file each
    parsing.py     records → rows             ranges.py a sealed range on disk and its manifest
    building.py    build, verify, remove      fleet.py  all of a program's tables at a pair of cut-offs

Thrown away and built again, the twin is the same bytes. What is personal never enters it.
"""
