"""The faces of the ledger: HTTP and command line. Translates; decides nothing."""
