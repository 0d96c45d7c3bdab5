"""ELAN's annotation file (.eaf): a tier an annotator, times in whole milliseconds.

Source: "ELAN Annotation Format", EAF schema version 3.0, MPI for Psycholinguistics.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from label_store.errors import LabelTableError
from label_store.exchange.timelines.timeline import Found, Timeline, chosen_tiers

_NOT_XML = re.compile("[\ufffe\uffff\ud800-\udfff]")
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"


def write(line: Timeline) -> bytes:
    """Return a clip's time line as an ELAN document."""
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": "1970-01-01T00:00:00+00:00",
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{_INSTANCE}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    # ELAN looks for the recording beside the document; the longer address tells two alike apart.
    address = quote(line.place)
    ElementTree.SubElement(
        header, "MEDIA_DESCRIPTOR",
        MEDIA_URL=address, MIME_TYPE="audio/x-wav",
        RELATIVE_MEDIA_URL=f"./{address.rpartition('/')[2]}",
    )  # fmt: skip
    order = ElementTree.SubElement(root, "TIME_ORDER")
    for name, labelled in line.tiers().items():
        tier = ElementTree.SubElement(
            root, "TIER", LINGUISTIC_TYPE_REF="emotion", TIER_ID=_NOT_XML.sub("\ufffd", name)
        )
        for start, end, label in labelled:
            slots = []
            low = round(start * 1000)
            for moment in (low, max(low + 1, round(end * 1000))):
                slots.append(f"ts{len(order) + 1}")
                ElementTree.SubElement(
                    order, "TIME_SLOT", TIME_SLOT_ID=slots[-1], TIME_VALUE=str(moment)
                )
            held = ElementTree.SubElement(
                ElementTree.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{len(order) // 2}",
                TIME_SLOT_REF1=slots[0], TIME_SLOT_REF2=slots[1],
            )  # fmt: skip
            value = ElementTree.SubElement(held, "ANNOTATION_VALUE")
            value.text = _NOT_XML.sub("\ufffd", label)
    ElementTree.SubElement(
        root, "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID="emotion", TIME_ALIGNABLE="true",
    )  # fmt: skip
    ElementTree.indent(root, " ")
    made: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return made


def read(data: bytes, file: str, name: str, is_emotion: Callable[[str], bool]) -> list[Found]:
    """Return an ELAN document's time-aligned labels.

    Args:
        data: the file's bytes.
        file: its name, for messages.
        name: the clip's, where the document does not name its recording.
        is_emotion: whether a word names an emotion.

    Raises:
        LabelTableError: it is not such a document.
    """
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise LabelTableError(f"{file}: the document declares entities, which ELAN never does.")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise LabelTableError(f"{file}: not XML ({error}).") from error
    if root.tag != "ANNOTATION_DOCUMENT":
        raise LabelTableError(f"{file}: not an ELAN document; its root is {root.tag[:40]}.")
    times = {
        slot.get("TIME_SLOT_ID", ""): slot.get("TIME_VALUE", "") for slot in root.iter("TIME_SLOT")
    }
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    for tier in root.iter("TIER"):
        some = tiers.setdefault(tier.get("TIER_ID", ""), [])
        for one in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (times.get(one.get(f"TIME_SLOT_REF{n}", ""), "") for n in (1, 2))
            # A slot without a time lies somewhere between its neighbours: ELAN's own guess.
            if start.isdecimal() and end.isdecimal():
                label = one.findtext("ANNOTATION_VALUE") or ""
                some.append((int(start) / 1000, int(end) / 1000, label))
    return chosen_tiers(_recording(root) or name, tiers, is_emotion)


def _recording(root: ElementTree.Element) -> str:
    for media in root.iter("MEDIA_DESCRIPTOR"):
        for key in ("MEDIA_URL", "RELATIVE_MEDIA_URL"):
            address = unquote(media.get(key) or "").removeprefix("file://").removeprefix("./")
            if address:
                return re.sub(r"^/*([A-Za-z]:/+)?", "", address)
    return ""
