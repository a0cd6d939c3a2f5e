"""The console script `wallet`: what takes long by design begins before anything large is loaded.

The collector is told to wait: a command that answers in a moment makes no garbage worth a search,
and loading it would cause dozens. In a run that takes longer it still does its work, in fewer and
larger steps.
"""

import gc
import sys
from typing import NoReturn

_NEW_OBJECTS = 50_000  # what loading a command and answering once stays below; some 10 MB


def main() -> NoReturn:
    """Run the command line and leave by the exit code it deserves."""
    gc.set_threshold(_NEW_OBJECTS)
    from wallet_cli.ahead import OPENING, begin

    if OPENING.intersection(sys.argv[1:2]) and not {"-h", "--help"}.intersection(sys.argv):
        begin()
    from wallet_cli.main import main as run

    run()


if __name__ == "__main__":
    main()
