"""Analyses every clip of a folder, one after another here or side by side on Ray, and keeps the table up to date."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.analysis import Analysis
from app.batch.rows import Row, key_of, row_of
from app.batch.table import write_table
from app.decoding import SchemaError
from app.exports import save
from app.faults import fault_of
from app.stages import Progress
from extractors.records import Grid, InputError

ENDINGS = (
    ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".3gp", ".ts", ".mts",
    ".wav", ".mp3", ".ogg", ".opus", ".flac", ".m4a",
)  # fmt: skip
RESULTS = "clips"  # the folder of the results, in the table's
OFTEN = 2.0  # seconds between two writings of the table
NO_RAY = "Ray is not installed: run `pip install ray`, or leave --ray out to analyse one clip after another."

Tell = Callable[[Row, int, int], None]


def find_clips(folder: str | Path, without: str | Path | None = None) -> list[Path]:
    """Every clip in the folder and those below it, by name, without what lies in `without` or begins with a dot.

    Raises:
        InputError: no such folder, or no clip in it.
    """
    folder = Path(folder)
    if folder.is_file():
        raise InputError(f"{folder} is a file: name its folder, or use `python -m app analyze` for one clip.")
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    apart = None if without is None else Path(without).resolve()
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in ENDINGS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (apart is None or apart == folder.resolve() or apart not in path.resolve().parents)
    ]
    if not found:
        raise InputError(f"There is no clip in {folder}: looked for {', '.join(e[1:] for e in ENDINGS)}.")
    return found


def run_batch(
    folder: str | Path,
    out: str | Path,
    ray: str | None = None,
    tell: Tell | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Analyse the folder's clips and write the table (table.csv, table.json, index.html) to `out`; gives its rows.

    A clip whose result is in `out` already is not analysed again (see `key_of`); one that failed is tried again. A clip
    that cannot be analysed is a row with its reason and stops nothing. ray: None for one clip after another here,
    "local" for a Ray of this machine, or the address of a cluster whose machines see the same files and have the
    project installed. tell(row, done, all) is called after every clip, progress(stage, fraction) as by `analyze`,
    without Ray alone.

    Raises:
        InputError: no such folder, no clip in it, or Ray is asked for and not there.
        OSError: `out` cannot be written to.
    """
    folder, out = Path(folder), Path(out)
    clips = {str(path.relative_to(folder)): path for path in find_clips(folder, out)}
    engine = None if ray is None else _import_ray()
    (out / RESULTS).mkdir(parents=True, exist_ok=True)
    rows: dict[str, Row] = {}
    waiting = []
    for name, path in clips.items():
        row = _finished(path, name, out)
        if row is None:
            waiting.append(name)
        else:
            _take(rows, row, clips, tell)
    work = {name: clips[name] for name in waiting}
    fresh = _here(work, out, progress) if engine is None else _on_ray(engine, str(ray), work, out)
    written = 0.0
    try:
        for row in fresh:
            _take(rows, row, clips, tell)
            if time.monotonic() - written > OFTEN:
                _write(rows, clips, out)
                written = time.monotonic()
    finally:
        # Also where it is stopped: what is there can be looked at, and the next run goes on from it.
        _write(rows, clips, out)
    return [rows[name] for name in clips]


def analyse_one(path: Path, name: str, out: Path, progress: Progress | None = None) -> Row:
    """Analyse a clip and write its result: a row, whatever happens short of being interrupted."""
    from app.analyze import analyze

    try:
        key = key_of(path)
        known = _known(key, name, out)  # a copy of it may have been analysed in the meantime
        if known is not None:
            return known
        kept = _result(out, key)
        grids: list[Grid] = []
        analysis = analyze(path, progress=progress, keep=grids.append)
        kept.parent.mkdir(parents=True, exist_ok=True)
        save(analysis, "html", kept.with_suffix(".html"), name, next(iter(grids), None), path)
        _write_whole(kept, analysis.to_json())  # last: what it stands for is then complete
    except InputError as error:
        return Row(name, "failed", str(error))
    except Exception as error:  # of any library, on a clip nobody has seen: the others are not to suffer
        reason = fault_of(error) or f"{type(error).__name__}: {error}".replace("\n", " ")
        return Row(name, "failed", reason)
    return _row(analysis, name, key)


def _finished(path: Path, name: str, out: Path) -> Row | None:
    """The row of a clip that is finished already; None where it is not, or the clip cannot be read."""
    try:
        return _known(key_of(path), name, out)
    except OSError:
        return None


def _known(key: str, name: str, out: Path) -> Row | None:
    """The row of the result kept under this key; None where there is none, or what is kept is damaged."""
    kept = _result(out, key)
    try:
        if not kept.with_suffix(".html").exists():
            return None
        return _row(Analysis.from_json(kept.read_text(encoding="utf-8")), name, key)
    except (OSError, SchemaError, UnicodeDecodeError):
        return None


def _row(analysis: Analysis, name: str, key: str) -> Row:
    return row_of(analysis, name, key, f"{RESULTS}/{key}.json", f"{RESULTS}/{key}.html")


def _result(out: Path, key: str) -> Path:
    return out / RESULTS / f"{key}.json"


def _take(rows: dict[str, Row], row: Row, clips: Mapping[str, Path], tell: Tell | None) -> None:
    rows[row.clip] = row
    if tell is not None:
        tell(row, len(rows), len(clips))


def _here(work: Mapping[str, Path], out: Path, progress: Progress | None) -> Iterator[Row]:
    """One clip after another: an analysis uses the cores of a machine by itself."""
    for name, path in work.items():
        yield analyse_one(path, name, out, progress)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise InputError(NO_RAY) from None
    return ray


def _on_ray(ray: Any, address: str, work: Mapping[str, Path], out: Path) -> Iterator[Row]:
    """Side by side, each on two cores, as the two branches of an analysis need; rows come as they are done."""
    started = not ray.is_initialized()
    if started:
        ray.init(
            address=address,
            log_to_driver=False,
            **({"include_dashboard": False} if address == "local" else {}),
        )
    try:
        # A machine of one core has none but that one to give.
        cores = min(2.0, max(node["Resources"].get("CPU", 0) for node in ray.nodes()))
        remote = ray.remote(num_cpus=cores, max_retries=1)(analyse_one)
        names = {remote.remote(path.resolve(), name, out.resolve()): name for name, path in work.items()}
        waiting = list(names)
        while waiting:
            done, waiting = ray.wait(waiting)
            for task in done:
                yield _collect(ray, task, names[task])
    finally:
        if started:
            ray.shutdown()


def _collect(ray: Any, task: Any, name: str) -> Row:
    """The task's row; a failed one where its process died."""
    try:
        row: Row = ray.get(task)
    except ray.exceptions.RayError as error:
        return Row(name, "failed", f"{type(error).__name__}: the process that analysed it ended.")
    return row


def _write(rows: Mapping[str, Row], clips: Iterable[str], out: Path) -> None:
    """The table of the rows there are, in the clips' order, each file replaced at once."""
    for name, text in write_table([rows[clip] for clip in clips if clip in rows]).items():
        _write_whole(out / name, text)


def _write_whole(path: Path, text: str) -> None:
    """Write aside and rename, so that nobody meets half a file."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(text.encode("utf-8", "replace"))
        os.replace(aside, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            aside.unlink()
