"""What has to hold of a server under load, and the table that says whether it did. Pure functions of plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from app.loadtest.clients import Request
from app.loadtest.server import Count

MEMORY = 0.05  # share by which memory may have grown
SLACK = 0.5  # seconds that a wait may be longer, since a place is looked at only now and then
HEADER = (
    "clients",
    "answered",
    "busy",
    "failed",
    "another's",
    "median s",
    "95 % s",
    "longest wait s",
    "place x cost held",
)


@dataclass(frozen=True)
class Phase:
    """So many clients at once, and all their requests; `where` they came, if it was not to the API."""

    clients: int
    requests: list[Request]
    where: str = ""

    @property
    def name(self) -> str:
        """What it is called in tables and sentences."""
        return f"{self.clients} {self.where}".strip()

    @property
    def answered(self) -> list[Request]:
        """Requests that got an answer."""
        return [r for r in self.requests if r.ended == "answered"]

    @property
    def cost(self) -> float:
        """Seconds that a clip takes from its turn on, the median of the phase."""
        return median([r.took for r in self.answered] or [0.0])

    @property
    def failed(self) -> list[str]:
        """What went wrong, but for being told that the server is busy."""
        return [r.ended for r in self.requests if r.ended not in ("answered", "busy")]

    @property
    def patient(self) -> list[Request]:
        """Requests that waited longer than their place in the line times what such a clip costs."""
        return [r for r in self.answered if r.waited > r.place * self.cost + SLACK]

    def row(self) -> tuple[str, ...]:
        """The table's row."""
        whole = [r.waited + r.took for r in self.answered] or [0.0]
        late = quantiles(whole, n=20)[-1] if len(whole) > 1 else whole[0]
        waits = [r for r in self.answered if r.place]
        return (
            self.name,
            str(len(self.answered)),
            str(sum(r.ended == "busy" for r in self.requests)),
            str(len(self.failed)),
            str(sum(not r.own for r in self.requests)),
            f"{median(whole):.1f}",
            f"{late:.1f}",
            f"{max((r.waited for r in self.answered), default=0):.1f}",
            f"{len(waits) - len(self.patient)} of {len(waits)}" if waits else "nobody waited",
        )


def broken(phases: Sequence[Phase], before: Count, after: Count, most: int | None = None) -> list[str]:
    """A sentence for everything that did not hold; empty where all did.

    most: how many the server takes at once, in turn and in line; who comes beyond that has to be told that it is busy.
    """
    told = []
    for phase in phases:
        who = f"{phase.name} clients: "
        if most is not None and phase.clients > most and not any(r.ended == "busy" for r in phase.requests):
            told.append(f"{who}nobody was told that the server is busy, which takes {most}")
        told += [f"{who}{n} x {what}" for what, n in Counter(phase.failed).items()]
        told += [f"{who}{r.clip} got another's answer" for r in phase.requests if not r.own]
        told += [
            f"{who}number {r.place} in line waited {r.waited:.1f} s, a clip costs {phase.cost:.1f} s"
            for r in phase.patient
        ]
    return told + grown(before, after)


def grown(before: Count, after: Count) -> list[str]:
    """A sentence for everything that there is more of than before."""
    told = []
    if after.memory > (1 + MEMORY) * before.memory:
        told.append(f"memory grew from {before.memory / 1e6:.0f} to {after.memory / 1e6:.0f} MB")
    counts = {name: (getattr(before, name), getattr(after, name)) for name in ("threads", "handles", "kept")}
    told += [f"{name} grew from {a} to {b}" for name, (a, b) in counts.items() if b > a]
    new = Counter(after.named) - Counter(before.named) if after.threads > before.threads else {}
    told += [f"{count} new threads {name}" for name, count in new.items()]
    more = {n: (before.objects.get(n, 0), count) for n, count in after.objects.items()}
    told += [f"objects of {n} grew from {a} to {b}" for n, (a, b) in more.items() if b > a]
    return told


def table(phases: Sequence[Phase], before: Count, after: Count) -> str:
    """The figures as a Markdown table, and a line on what the server held."""
    rows = [HEADER, ("---",) * len(HEADER), *(phase.row() for phase in phases)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    count = sum(len(phase.answered) for phase in phases)
    change = 100 * (after.memory / before.memory - 1)
    lines += [
        "",
        f"Before and after {count} analyses: memory {before.memory / 1e6:.0f} and {after.memory / 1e6:.0f} MB "
        f"({change:+.1f} %), threads {before.threads} and {after.threads}, file handles {before.handles} and "
        f"{after.handles}, visitors' files {before.kept} and {after.kept}, objects of ours and of gradio's "
        f"{sum(before.objects.values())} and {sum(after.objects.values())}.",
    ]
    return "\n".join(lines)
