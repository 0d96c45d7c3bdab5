"""``opinions``: what models of speaker folds say of every clip, to find wrong labels."""

from __future__ import annotations

import argparse

from trainer.errors import SettingsError
from trainer.fit import require_trainable
from trainer.opinions import run_opinions
from trainer.settings import Settings
from trainer.verbs.place import Place, progress_of


def opinions_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Judge every clip by a model that never heard its speaker, and say how to look at it."""
    if args.scheme not in (None, "kfold"):
        raise SettingsError(
            f"--scheme is “{args.scheme}”; opinions divide the speakers by kfold, in --folds parts"
        )
    require_trainable(settings)
    found = run_opinions(place.home, settings, progress=progress_of(args), tick=args.tick)
    print(found.sentence())
    print(
        f"To look at them: SER_HOME={place.home} python app.py, then the Label tab's order “labels "
        "that may be wrong”, or the Corpus tab's filter “suspected error”."
    )
    return 0
