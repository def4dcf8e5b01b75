"""L2, run it: the only folder that imports wasmtime. Knows one instance at a time, nothing of mailboxes or restarts."""
