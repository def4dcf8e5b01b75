"""L1, may it?: capabilities, grants and the one function that decides. Knows ids, nothing of actors or of routing."""
