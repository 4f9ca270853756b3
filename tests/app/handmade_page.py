"""The page without a browser: its events are carried out one after another, and what they give stands in its parts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.helpers import special_args

from app.page import build_page


class HandmadePage:
    """One visitor's page. `looked` is called after every change, as if somebody had looked at it."""

    def __init__(self, looked: Callable[[HandmadePage], None] = lambda _: None) -> None:
        self.page, self.looked = build_page(), looked
        self.request = gr.Request(session_hash="me")
        self._values: dict[int, Any] = {}
        self._props: dict[int, dict[str, Any]] = {}

    def part(self, name: str) -> Any:
        """The component with the id, else of the class."""
        parts = self.page.blocks.values()
        by_class = (part for part in parts if name in (getattr(part, "elem_classes", None) or []))
        return next((part for part in parts if part.elem_id == name), None) or next(by_class)

    def __getitem__(self, name: str) -> Any:
        """What stands in a part."""
        return self._values.get(self.part(name)._id)

    def __setitem__(self, name: str, value: Any) -> None:
        """Put something in by hand, which tells nobody."""
        self._values[self.part(name)._id] = value

    def prop(self, name: str, prop: str) -> Any:
        """Whether a part is "visible" or "interactive"."""
        part = self.part(name)
        return self._props.get(part._id, {}).get(prop, getattr(part, prop))

    def events(self, name: str) -> list[Any]:
        """The events that call what bears the name, such as "Service.run"."""
        return [e for e in self.page.fns.values() if getattr(e.fn, "__qualname__", "") == name]

    def do(self, name: str, *last: Any) -> None:
        """The first event that calls what bears the name, and all that follows it; `last` are its last inputs."""
        self._carry_out(self.events(name)[0], last)

    def _carry_out(self, event: Any, last: tuple[Any, ...] = ()) -> None:
        given = [self._values.get(part._id) for part in event.inputs]
        given = [*given[: len(given) - len(last)], *last]
        if event.fn is not None:
            made = event.fn(*special_args(event.fn, given, self.request)[0])
            if inspect.iscoroutine(made):  # gradio's own memory, of which this page has none
                made.close()
            else:
                for values in made if inspect.isgenerator(made) else [made]:
                    self._take(event, values)
        for other in self.page.fns.values():
            if other.trigger_after == event._id:
                self._carry_out(other)

    def _take(self, event: Any, values: Any) -> None:
        if values == gr.skip() or not event.outputs:
            return
        listed = values if len(event.outputs) > 1 else [values]
        for part, value in zip(event.outputs, listed, strict=True):
            if isinstance(value, dict) and value.get("__type__") == "update":
                self._props.setdefault(part._id, {}).update(value)
                if "value" in value:
                    self._values[part._id] = value["value"]
            else:
                self._values[part._id] = value
        self.looked(self)
