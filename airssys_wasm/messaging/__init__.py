"""L4, carry it: the way of a message from its sender to a mailbox. Knows children and grants, nothing of guests."""
