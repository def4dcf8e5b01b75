"""The contract's table of host functions, row by row, from inside a guest."""

import pytest

from tests.contract import messaging_rows, services_rows, storage_rows
from tests.contract.rows import Row, play
from tests.contract.stage import Stage

ROWS = (*messaging_rows.ROWS, *services_rows.ROWS, *storage_rows.ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.covers[0]}, {row.behaviour}")
async def test_each_row_of_the_table_holds(row: Row, stage: Stage) -> None:
    """Each step answers what the row says."""
    await play(row, stage)
