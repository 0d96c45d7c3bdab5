"""The model card that a run writes before its checkpoint is evaluated in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_core.checkpoints.specification import Specification
from trainer.reporting.licences import licences
from trainer.settings import Settings


def short_card(specification: Specification, settings: Settings, figures: Mapping[str, Any]) -> str:
    """Return a model card with the figures on the test speakers."""
    rows = [
        f"| {corpus} | {f['clips']} | {f['speakers']} | {f['uar']:.3f} | {f['accuracy']:.3f} "
        f"| {f['macro_f1']:.3f} | {f['majority_uar']:.3f} | {f['ece']:.3f} |"
        for corpus, f in figures.get("test", {}).items()
    ]
    return "\n".join(
        [
            "---",
            "license: cc-by-nc-sa-4.0",
            "pipeline_tag: audio-classification",
            "tags: [speech-emotion-recognition]",
            "---",
            "",
            f"# {specification.name} {specification.version}",
            "",
            f"Speech emotion recognition: {specification.frontend} front-end, "
            f"{specification.backbone}, windows of {specification.seconds:g} s, "
            f"{len(specification.emotions)} emotions ({', '.join(specification.emotions)}).",
            "",
            f"Made on {specification.created[:10]} from "
            f"{figures['clips']['train']} clips, chosen on {figures['clips']['validation']} clips "
            "of validation speakers.",
            "",
            "## On unseen speakers",
            "",
            "Test speakers only; each figure reads the likeliest of the emotions that the corpus "
            "has.",
            "",
            "| corpus | clips | speakers | UAR | accuracy | macro-F1 | majority UAR | ECE |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            "## Limits",
            "",
            "Learned from actors. It judges how something sounds in the manner of those actors, "
            "not what a person feels. Not for decisions about people.",
            *licences(specification, figures.get("test", {})),
            "",
        ]
    )
