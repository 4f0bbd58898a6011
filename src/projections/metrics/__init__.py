"""Metrics of a whole program: versioned definitions, each a file whose docstring is its sentence, formula and source.

definition.py  what a definition is           definitions/  one file each
asking.py      parameters, windows, cut-offs   periods.py    the calendar
orders.py      which orders count              answering.py  from a question to an answer
"""
