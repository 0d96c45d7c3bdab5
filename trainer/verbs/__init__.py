"""What each verb of ``python -m trainer`` does, with everything it needs as arguments."""

from trainer.verbs.compare import compare_verb
from trainer.verbs.download import download_verb
from trainer.verbs.evaluate import evaluate_verb
from trainer.verbs.fine_tune import run
from trainer.verbs.fit import fit_verb
from trainer.verbs.opinions import opinions_verb
from trainer.verbs.place import Place, local
from trainer.verbs.tune import tune_verb
from trainer.verbs.versions import history, promote, rollback

__all__ = [
    "Place",
    "compare_verb",
    "download_verb",
    "evaluate_verb",
    "fit_verb",
    "history",
    "local",
    "opinions_verb",
    "promote",
    "rollback",
    "run",
    "tune_verb",
]
