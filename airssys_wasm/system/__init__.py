"""L5, put it together: the only layer that constructs; systems and pipelines. Knows all layers below, no terminal."""
