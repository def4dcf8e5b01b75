"""L3, keep it alive: mailboxes, actors, restarts. Knows guests only as a port, nothing of wasmtime or of routing."""
