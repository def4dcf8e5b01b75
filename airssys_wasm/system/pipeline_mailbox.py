"""What a pipeline file says of a component's mailbox (pure)."""

from airssys_wasm.core.mailboxes import MailboxPolicy, MailboxRule
from airssys_wasm.system.pipeline_table import Table


def read_mailbox(table: Table) -> MailboxPolicy:
    """`mailbox = "drop-oldest"`, or a table with `rule` and, for `latest-by-key`, `key`."""
    if not isinstance(table.values.get("mailbox"), dict):
        rule = table.choice("mailbox", MailboxRule.WAIT)
        if rule is MailboxRule.LATEST_BY_KEY:
            table.note("mailbox", f'needs a key; write {{ rule = "{rule}", key = "json:field" }}')
            return MailboxPolicy()
        return MailboxPolicy(rule)
    mailbox = table.table("mailbox")
    rule, key = mailbox.choice("rule", MailboxRule.WAIT, required=True), mailbox.take("key", "")
    policy = mailbox.built(lambda: MailboxPolicy(rule, key or None), MailboxPolicy())
    mailbox.finish()
    return policy
