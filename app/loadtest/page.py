"""A visit to the page as its browser makes one, event by event, but that nothing is drawn.

What follows an event stands in the page's own description, which a browser reads too: so whatever the page does after
an analysis is done here as well, whoever adds to it.
"""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from app.loadtest.clients import BUSY, PATIENCE, Request, come

BUTTON = "cm-analyse"
READ = ("cm-result", "cm-words")  # what is compared: the score's card, and the words


class Visit:
    """One visitor's page: what every component shows, by its number."""

    def __init__(self, url: str) -> None:
        self._client = come(url, download_files=False, _skip_components=False)
        parts = self._client.config["components"]
        self._events = {d["id"]: d for d in self._client.config["dependencies"] if d["backend_fn"]}
        self._shown = {part["id"]: part["props"].get("value") for part in parts}
        self._by_name = {part["props"].get("elem_id"): part["id"] for part in parts}
        self._video = next(part["id"] for part in parts if part["type"] == "video")
        self.done: list[str] = []
        """Every handler that ran, in order."""

    def analyse(self, clip: Path) -> None:
        """Choose the clip, press Analyse, and let everything follow that follows. Raises what the server raised."""
        from gradio_client import handle_file

        self._shown[self._video] = handle_file(clip)
        button = self._by_name[BUTTON]
        first = next(number for number, d in self._events.items() if [button, "click"] in d["targets"])
        self._fire([first])

    def digest(self) -> str:
        """A hash of what is shown of the clip."""
        shown = [self.shown_of(name) for name in READ]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()

    def shown_of(self, name: str) -> Any:
        """The value of the component with the id."""
        return self._shown[self._by_name[name]]

    def leave(self) -> None:
        """Close the page, which says so."""
        beat = self._client.heartbeat_url.format(session_hash=self._client.session_hash)
        urllib.request.urlopen(urllib.request.Request(beat, method="POST"), timeout=PATIENCE).close()
        self._client.close()

    def _fire(self, numbers: list[int]) -> None:
        """Events that are due at the same time, and then what follows each."""
        jobs = {number: self._submit(number) for number in numbers}
        for number, job in jobs.items():
            answer, outputs = job.result(), self._events[number]["outputs"]
            self._show(outputs, list(answer) if len(outputs) > 1 else [answer])
            self.done.append(self._events[number]["api_name"])
            self._fire([n for n, d in self._events.items() if d.get("trigger_after") == number])

    def _submit(self, number: int) -> Any:
        # gradio's client calls what is offered to programs alone; the page's browser may call everything.
        self._client.endpoints[number].is_valid = True
        given = [self._shown[part] for part in self._events[number]["inputs"]]
        return self._client.submit(*given, fn_index=number)

    def _show(self, outputs: list[int], values: list[Any]) -> None:
        for part, value in zip(outputs, values, strict=False):
            if not (isinstance(value, dict) and value.get("__type__") == "update"):
                self._shown[part] = value
            elif "value" in value:
                self._shown[part] = value["value"]


def look(url: str, clip: Path, wanted: str | None = None) -> tuple[Request, str]:
    """As `clients.ask`, through the page: come, bring the clip, wait until everything is shown, go.

    The place in the line is on a card that is drawn and not read here, so the whole time counts as taken.
    """
    begin, found = time.perf_counter(), ""
    try:
        page = Visit(url)
        try:
            begin = time.perf_counter()
            page.analyse(clip)
            found, ended = page.digest(), "answered"
        finally:
            page.leave()
    except Exception as error:  # whatever it is, it is counted
        ended = "busy" if BUSY in str(error) else f"{type(error).__name__}: {error}"
    took = time.perf_counter() - begin
    own = not wanted or not found or found == wanted
    return Request(clip.name, 0, 0.0, took, ended, own), found
