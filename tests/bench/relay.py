"""The relay as its operator runs it, but for Telegram's limits: what is measured is the relay, not the waiting.

`python -m tests.bench.relay run --config FILE`
"""

import sys

from bot.__main__ import main
from bot.domain import pace

if __name__ == "__main__":
    pace.ALL = pace.GROUP = pace.PRIVATE = ((100_000, 1.0),)
    sys.exit(main(sys.argv[1:]))
