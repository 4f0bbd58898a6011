"""Mappings and rules that come with the project, found by name: `ledger import FILE --mapping online_retail`."""
