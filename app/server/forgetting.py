"""What gradio keeps of a session in the server's memory, beside the files, and when that goes.

Gradio keeps the last value of every component for every session, what was said and the whole answer of /analyze among
them, so that a page can be opened again by a link: an hour after the page was left, and often much longer. No such link
can be made here (see `guard`), so nothing needs those values. It also keeps answers that a program asked for and
never fetched, and the names of files. What we note of a visit ourselves (`visits`) goes in the same way.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

import gradio as gr
import gradio.routes
from gradio.state_holder import SessionState, StateHolder

from app.analysis import Analysis
from app.server.keeping import KEPT
from app.server.visits import visits_of


class Sessions(StateHolder):
    """Gradio's sessions, of which those go first that cost nobody any work.

    Gradio drops the one that was used least recently: as many small requests as it keeps sessions, which take seconds,
    would cost every visitor what is shown to them.
    """

    def update(self, session_id: str) -> None:
        """The session was used, or is new; past the most that are kept one other goes."""
        with self.lock:
            if session_id in self.session_data:
                self.session_data.move_to_end(session_id)
            if len(self.session_data) > self.capacity:
                others = [one for one in list(self.session_data.items()) if one[0] != session_id]
                gone = next((name for name, state in others if not _holds_work(state)), others[0][0])
                self.session_data.pop(gone, None)
                self.time_last_used.pop(gone, None)


def drop_empty_first() -> None:
    """From now on gradio's servers drop sessions so."""
    gradio.routes.StateHolder = Sessions


def _holds_work(state: SessionState) -> bool:
    """Whether an analysis is kept for it, or a batch in which a clip was analysed; a request can set anything else."""
    kept = list(state.state_data.values())
    rows = [row for value in kept if isinstance(value, list) for row in value]
    return any(isinstance(value, Analysis) for value in kept) or any(getattr(row, "path", "") for row in rows)


def forget_when_over(page: gr.Blocks, deleted: Any, quiet: dict[str, Any]) -> None:
    """What gradio remembers of a session goes when its page is left, or after the event `deleted` its files.

    To be called once everything else listens: whatever is done for a session afterwards is remembered again.
    """

    # Both run in the server's own loop, where gradio looks sessions up: from a thread one could go in between.
    async def forget(request: gr.Request) -> None:
        await asyncio.to_thread(_forget_names, page)
        _forget_values(page, request.session_hash or "")

    async def leave(request: gr.Request) -> None:
        await forget(request)
        _forget_answers(page, request.session_hash or "")

    deleted.then(forget, None, None, queue=False, trigger_mode="multiple", **quiet)
    page.unload(leave)


def forget_by_age(page: gr.Blocks) -> Callable[[], None]:
    """What is to be called every few minutes: forgets what pages show, and sessions not heard of for KEPT seconds.

    Their unfetched answers and what is noted of them too. A page that was left while something was under way for it is
    such a session: the end of that work has gradio remember it again.
    """

    def forget() -> None:
        holder, visits, before = page.state_holder, visits_of(page.GRADIO_CACHE), time.time() - KEPT

        def is_old(session: str) -> bool:
            used = holder.time_last_used.get(session)
            return used is None or used.timestamp() < before

        _forget_names(page)
        for state in list(holder.session_data.values()):
            for shown in list(state.config_values.values()):
                if shown and "props" in shown:
                    shown["props"]["value"] = None
        for session in list(page._queue.pending_messages_per_session):
            if is_old(session):
                _forget_answers(page, session)
        visits.forget(filter(is_old, visits.noted()))
        for session in list(holder.time_last_used):
            if is_old(session):
                _forget_values(page, session)

    return forget


def _forget_values(page: gr.Blocks, session: str) -> None:
    """The session begins anew at its next event, as one that was never heard of."""
    holder = page.state_holder
    holder.delete_state(session)
    holder.session_data.pop(session, None)
    holder.time_last_used.pop(session, None)


def _forget_answers(page: gr.Blocks, session: str) -> None:
    """Answers that wait for the session to fetch them, unless there is more under way for it."""
    queue = page._queue
    asked = list(queue.pending_event_ids_session.get(session, ()))
    if not any(event in queue.event_ids_to_events for event in asked):
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)


def _forget_names(page: gr.Blocks) -> None:
    """Of files it was given or gave, which gradio keeps for ever where `delete_cache` is off."""
    for names in page.temp_file_sets:
        names.difference_update([name for name in list(names) if not os.path.lexists(name)])
