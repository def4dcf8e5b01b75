"""What guests import: the contract's host functions, each defined once, speaking WIT values.

A function gets the caller's own `HostState` and answers `Ok` or `Err` of its WIT type; it never lets one of our
exceptions through. Where a message goes from here is the outbox's business.
"""
