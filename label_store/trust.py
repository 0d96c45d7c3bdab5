"""Whose annotations count: those of trusted annotators, once they passed the practice round."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from label_store.annotators import read_annotator_settings
from label_store.event_rows import JournalEntry
from label_store.store import LabelStore


@dataclass(frozen=True, slots=True)
class Trust:
    """Which annotations count.

    Attributes:
        names: annotators that are trusted; None = all that may write.
        practice_from: number of the event after which labels count only from those who passed
            the practice round; None = no practice is asked.
        passed: annotator -> number of the event with which they passed; what they labelled
            before, while practice was asked, does not count.
    """

    names: frozenset[str] | None = None
    practice_from: int | None = None
    passed: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Trust | Collection[str] | None) -> Trust:
        """Return it for names as well; None = everybody's annotations count.

        >>> Trust.of(["ada"]).trusts("ben"), Trust.of(None).trusts("ben")
        (False, True)
        """
        if isinstance(given, Trust):
            return given
        return cls(None if given is None else frozenset(given))

    def trusts(self, annotator: str) -> bool:
        """Return whether somebody is among the trusted annotators."""
        return self.names is None or annotator in self.names

    def practising(self, entry: JournalEntry) -> bool:
        """Return whether something was done before its annotator passed the practice round."""
        if self.practice_from is None or entry.number <= self.practice_from:
            return False
        passed = self.passed.get(entry.annotator)
        return passed is None or entry.number < passed

    def counts(self, entry: JournalEntry) -> bool:
        """Return whether an annotation, a review or an adjudication counts."""
        return self.trusts(entry.annotator) and not self.practising(entry)

    def counts_from_now(self, annotator: str) -> bool:
        """Return whether what somebody does next would count."""
        passed = self.practice_from is None or annotator in self.passed
        return passed and self.trusts(annotator)

    def to_json(self) -> dict[str, Any]:
        """Return it for a run's record."""
        return {
            "trusted": None if self.names is None else sorted(self.names),
            "practice_from": self.practice_from,
            "passed": dict(self.passed),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Trust:
        """Read what `to_json` gave, of any version."""
        names, start = values.get("trusted"), values.get("practice_from")
        return cls(
            None if names is None else frozenset(names),
            None if start is None else int(start),
            {str(name): int(number) for name, number in (values.get("passed") or {}).items()},
        )


def who_counts(store: LabelStore, asked: Collection[str] | None = None) -> Trust:
    """Return whose annotations count: of those asked for, else as it was set for the store.

    Args:
        store: whose.
        asked: names given for one run, which go over what is set, the practice included; None =
            none given.

    Raises:
        StoreError: the file of settings is damaged.
    """
    if asked is not None:
        return Trust.of(asked)
    found = read_annotator_settings(store.folder)
    if found.practice is None:
        return Trust(found.trusted)
    return Trust(found.trusted, found.practice.since, dict(store.state().passed))
