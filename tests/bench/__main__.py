"""`make bench`: the relay against a bare bot, in turn on this machine; PAIRS=5 runs of each."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.bench.reports import REPORTS, pairs

ROW = "{:<32} {:<22} {:<22} {}"


async def main(count: int) -> None:
    print(f"{REPORTS} reports at once, median (least–most) of {count}")
    print(ROW.format("", "ours", "the bare bot", "ours by the bare bot's"))
    with tempfile.TemporaryDirectory() as home:
        for row in await pairs(Path(home), count):
            print(ROW.format(*row), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
