"""L5, put it together: the only layer that constructs the others, and what users hold."""
