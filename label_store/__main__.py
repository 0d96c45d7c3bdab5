"""``python -m label_store``: the store from the command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from label_store.cli import forget, sync
from label_store.cli.settings import Run, read_settings
from label_store.errors import StoreError
from trainer.cli import adjudicate, labels

VERBS = (labels, adjudicate, sync, forget)
"""A new verb is one module with ``add``, and one word here.

This file is an entry, as ``app.py`` is: it alone in the package may name what stands above it.
"""


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Run one verb; errors are one line on stderr and exit 1."""
    parser = argparse.ArgumentParser(
        prog="python -m label_store",
        description="The label store in SER_HOME (data/ where it is not set).",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    args = parser.parse_args(argv)
    run: Run = args.run
    try:
        return run(args, read_settings(env))
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
