"""The console script `verifier`: the collector is told to wait before anything large is loaded.

A command that answers in a moment makes no garbage worth a search, and loading it would cause
dozens. In a run that takes longer the collector still does its work, in fewer and larger steps.
"""

import gc
from typing import NoReturn

_NEW_OBJECTS = 50_000  # what loading a command and answering once stays below; some 10 MB


def main() -> NoReturn:
    """Run the command line and leave by the exit code it deserves."""
    gc.set_threshold(_NEW_OBJECTS)
    from verifier.cli import main as run

    run()


if __name__ == "__main__":
    main()
