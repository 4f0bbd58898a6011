"""The read side: the columnar twin of the log, and the metrics of a whole program over it."""
