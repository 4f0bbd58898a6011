"""Reports: figures of a whole program at a pair of cut-offs, computed from the log alone."""
