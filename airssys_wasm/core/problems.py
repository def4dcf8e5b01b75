"""One thing that is wrong with a file of ours, and where (pure)."""

import attrs


@attrs.frozen(order=True)
class Problem:
    """What is wrong at one place: the file, the table as a reader finds it (`[[component]] logs/parse`), the key.

    `key` is empty when the problem is the table's as a whole, `table` when it is the file's.
    """

    file: str
    table: str
    key: str
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.table, self.key, self.text) if part)
