"""ELAN's annotation format, EAF 3.0: sentences, words, the score of each sentence, and the changes of sign.

ELAN (https://archive.mpi.nl/tla/elan) is what linguists annotate video with; its schema is EAFv3.0.xsd of the same
place. Times are whole milliseconds. On one tier no annotation overlaps another.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from app.analysis import Analysis
from app.exports.sentences import sentences
from app.telling.numbers import written
from app.telling.observed import observed, told_ticks

TURN = 0.05  # a score must pass zero by this much to count as changed: less shows as 0.0
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
MIME = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
}
MIME |= {"wav": "audio/x-wav"}
CONSTRAINTS = {
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
    "Symbolic_Association": "1-1 association with a parent annotation",
}


class _Document:
    """An EAF document under way: slots and annotations get their numbers in the order asked for."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.count = 0

    def slot(self, seconds: float) -> str:
        self.times.append(seconds)
        return f"ts{len(self.times)}"

    def annotate(self, tier: ElementTree.Element, text: str, start: float, end: float) -> str:
        slots = {"TIME_SLOT_REF1": self.slot(start), "TIME_SLOT_REF2": self.slot(end)}
        return self._add(tier, "ALIGNABLE_ANNOTATION", slots, text)

    def attach(self, tier: ElementTree.Element, text: str, parent: str) -> str:
        return self._add(tier, "REF_ANNOTATION", {"ANNOTATION_REF": parent}, text)

    def _add(self, tier: ElementTree.Element, kind: str, more: dict[str, str], text: str) -> str:
        self.count += 1
        name = f"a{self.count}"
        around = ElementTree.SubElement(tier, "ANNOTATION")
        annotation = ElementTree.SubElement(around, kind, {"ANNOTATION_ID": name, **more})
        ElementTree.SubElement(annotation, "ANNOTATION_VALUE").text = text
        return name


def render_eaf(analysis: Analysis, clip: str = "clip") -> str:
    """The document as text; `clip` is the clip's path as seen from the file's folder, or its name beside it."""
    document, tiers = _Document(), _tiers(analysis)
    spoken, words, scores, turns = tiers
    for sentence in sentences(analysis):
        parent = document.annotate(spoken, sentence.text, sentence.start, sentence.end)
        document.attach(scores, written(sentence.score, 2), parent)
        for word in sentence.words:
            document.annotate(words, word.word, word.start, word.end)
    for name, start, end in sign_changes(analysis):
        document.annotate(turns, name, start, end)
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "Coupled Mamba",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{INSTANCE}}}noNamespaceSchemaLocation": SCHEMA,
        },
    )
    root.append(_header(clip, document.count))
    root.append(_time_order(document.times))
    root.extend(tiers)
    root.extend(_kinds())
    ElementTree.register_namespace("xsi", INSTANCE)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def sign_changes(analysis: Analysis) -> list[tuple[str, float, float]]:
    """("positive" | "negative" | "neutral", start, end) of every stretch between two changes of the score's sign.

    A change counts once the score is TURN past zero at a tick where something was observed; "neutral" is what comes
    before it ever was. The first stretch begins with the first observation, and the last one ends with the last.
    """
    found: list[tuple[str, float, float]] = []
    starts, told = analysis.ticks.start, told_ticks(analysis)
    side, begin = "neutral", starts[told.start]
    for i in np.flatnonzero(observed(analysis)):
        start, score = starts[i], analysis.sentiment.ticks[i]
        now = "positive" if score >= TURN else "negative" if score <= -TURN else side
        if now != side:
            if start > begin:
                found.append((side, begin, start))
            side, begin = now, start
    return [*found, (side, begin, starts[told.stop - 1] + analysis.ticks.step)]


def _tiers(analysis: Analysis) -> list[ElementTree.Element]:
    """sentences, words, score, sign changes: the second and the third hang on the first."""
    hanging = {"PARENT_REF": "sentences"}
    kinds = {"sentences": {}, "words": hanging, "score": hanging, "sign changes": {}}
    source = {"ANNOTATOR": analysis.transcript.source}
    return [
        ElementTree.Element("TIER", {"TIER_ID": name, "LINGUISTIC_TYPE_REF": name, **source, **more})
        for name, more in kinds.items()
    ]


def _kinds() -> list[ElementTree.Element]:
    """The linguistic types of the tiers, and the constraints that two of them name."""
    bound = {"words": "Included_In", "score": "Symbolic_Association"}
    kinds = []
    for name in ("sentences", "words", "score", "sign changes"):
        kind = {"LINGUISTIC_TYPE_ID": name, "TIME_ALIGNABLE": "false" if name == "score" else "true"}
        kind["GRAPHIC_REFERENCES"] = "false"
        if name in bound:
            kind["CONSTRAINTS"] = bound[name]
        kinds.append(ElementTree.Element("LINGUISTIC_TYPE", kind))
    told = [{"STEREOTYPE": name, "DESCRIPTION": text} for name, text in CONSTRAINTS.items()]
    return [*kinds, *(ElementTree.Element("CONSTRAINT", constraint) for constraint in told)]


def _header(clip: str, last: int) -> ElementTree.Element:
    """The clip, linked by its place beside the file: where it lies on another machine nobody can know."""
    path = PurePath(clip)
    beside = path.name if path.is_absolute() else path.as_posix()
    header = ElementTree.Element("HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    address = {
        "MEDIA_URL": f"file:///{quote(path.name)}",
        "RELATIVE_MEDIA_URL": f"./{quote(beside)}",
        "MIME_TYPE": MIME.get(path.suffix.lower().lstrip("."), "unknown"),
    }
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", address)
    ElementTree.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(last)
    return header


def _time_order(times: list[float]) -> ElementTree.Element:
    """Every slot, the earliest first."""
    order = ElementTree.Element("TIME_ORDER")
    for i in sorted(range(len(times)), key=lambda i: times[i]):
        slot = {"TIME_SLOT_ID": f"ts{i + 1}", "TIME_VALUE": str(round(1000 * times[i]))}
        ElementTree.SubElement(order, "TIME_SLOT", slot)
    return order
