"""The commands of `ledger`, one file per family; `api/cli.py` puts them together."""
