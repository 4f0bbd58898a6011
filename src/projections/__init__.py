"""The read side: folds the log into read models, metrics and reports; all of it can be rebuilt."""
