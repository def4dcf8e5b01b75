"""L0, values and words: what is said between the layers. No await, no I/O, no clock, nothing of ours imported."""
