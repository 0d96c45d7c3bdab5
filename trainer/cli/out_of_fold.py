"""``out-of-fold``: every clip predicted by a model that never had its speaker."""

from __future__ import annotations

import argparse
from functools import partial

from trainer.cli.arguments import callbacks_of, tracked
from trainer.cli.context import Context
from trainer.errors import SettingsError
from trainer.experiments.out_of_fold import run_out_of_fold
from trainer.settings import Settings
from trainer.training.fit import require_trainable


def out_of_fold_verb(context: Context, settings: Settings, args: argparse.Namespace) -> int:
    """Predict every clip by a model that never had its speaker, and say how to look at them."""
    if args.scheme not in (None, "kfold"):
        raise SettingsError(
            f"--scheme is “{args.scheme}”; out-of-fold always divides the speakers into --folds "
            "parts (kfold)"
        )
    require_trainable(settings)
    found = run_out_of_fold(
        context.home,
        settings,
        progress=callbacks_of(args),
        tick=args.tick,
        tracked=partial(tracked, context, settings, args),
    )
    print(found.sentence())
    print(
        f"To look at them: SER_HOME={context.home.root} python app.py, then the Label tab's order "
        "“labels that may be wrong”, or the Corpus tab's filter “suspected error”."
    )
    return 0
