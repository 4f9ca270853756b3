"""The command line: `python -m app analyze CLIP`, `compare CLIP [OTHER]`, `batch FOLDER --out DIR`, `serve`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.estimate import Estimate, about
from app.exports import FORMATS, save, told
from app.faults import fault_of
from app.i18n import tell
from app.stages import STAGES
from extractors.hub import stay_offline
from extractors.records import InputError

if TYPE_CHECKING:
    from app.analysis import Analysis
    from app.batch import Row
    from app.figures.compare import Side
    from extractors.records import Grid

SOME_FAILED, BAD_INPUT, BROKEN, INTERRUPTED, UNREAD = 1, 2, 3, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit status.

    0, 1 where some clips of many failed, 2 for a clip, transcript or path that cannot be used, 3 where a file of the
    program itself is damaged, 130 where stopped, 141 where nobody reads what is printed any more, as after `| head`.
    """
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"coupled-mamba: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("coupled-mamba: stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tells of it when it ends
        return UNREAD
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        print(f"coupled-mamba: {error.strerror or error}{where}", file=sys.stderr)
    except Exception as error:
        if not (fault := fault_of(error)):
            raise
        print(f"coupled-mamba: {fault}", file=sys.stderr)
        return BROKEN
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="What words, voice and face say in a clip."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    analyse = commands.add_parser("analyze", help="analyse one clip", description="Analyse one clip.")
    _add_clip(analyse)
    for kind in FORMATS:
        analyse.add_argument(f"--{kind}", metavar="OUT", type=Path, help=f"write {told(kind)}")
    analyse.set_defaults(run=_analyze)
    compare = commands.add_parser(
        "compare",
        help="compare two clips, or coupled and independent chains on one",
        description="What two clips differ in; with one clip, what the coupled network and one whose chains never "
        "hear each other differ in.",
    )
    _add_clip(compare)
    compare.add_argument("other", metavar="OTHER", nargs="?", help="the clip to compare it with")
    compare.add_argument(
        "--json", metavar="OUT", type=Path, help="write both analyses and what they differ in, as JSON"
    )
    compare.set_defaults(run=_compare)
    many = commands.add_parser(
        "batch",
        help="analyse every clip of a folder",
        description="Analyse every clip of a folder into a table: table.csv, table.json and index.html in the folder "
        "of --out, with a report of each clip. Run again, it goes on where it was stopped: finished clips are known "
        "by their content, failed ones are tried again.",
    )
    many.add_argument("folder", metavar="FOLDER", type=Path, help="the folder; those below it count too")
    many.add_argument("--out", metavar="DIR", type=Path, required=True, help="where the table and results go")
    many.add_argument(
        "--ray", metavar="ADDRESS|local", help="analyse side by side on Ray: local, or a cluster's address"
    )
    many.set_defaults(run=_batch)
    serve = commands.add_parser("serve", help="serve the page", description="Serve the page.")
    serve.set_defaults(run=_serve)
    return parser


def _add_clip(parser: argparse.ArgumentParser) -> None:
    """The clip, its transcript and language, and where what is found is kept."""
    from extractors.media.opening import SPOKEN_FORMATS

    parser.add_argument("clip", metavar="CLIP", help=f"video or sound file: {SPOKEN_FORMATS}")
    parser.add_argument(
        "--transcript", metavar="FILE", help=".srt, .vtt or .txt, instead of speech recognition"
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="keep what was worked out, so that the same clip with another transcript takes a second "
        "(default: COUPLED_MAMBA_CACHE, or nothing is kept)",
    )
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="language of the speech, such as de, or auto (default: en, unless words are plainly in another)",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Libraries' remarks on their own workings are no use to who runs a command; they are back for who calls `main`."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        stay_offline()
        try:
            yield
        finally:
            logging.disable(before)


@_quietly()
def _analyze(options: argparse.Namespace) -> int:
    wanted: dict[str, Path] = {kind: out for kind in FORMATS if (out := getattr(options, kind)) is not None}
    _check_outs(list(wanted.values()), [options.clip, options.transcript])
    from app.telling.wording import summary

    kept: list[Grid] = []
    analysis = _read(options, options.clip, options.transcript, kept)
    for kind, out in wanted.items():
        clip = _seen_from(out.resolve().parent, Path(options.clip))
        save(analysis, kind, out, clip, next(iter(kept), None), options.clip)
    _say(summary(analysis, Path(options.clip).name))
    return 0


@_quietly()
def _compare(options: argparse.Namespace) -> int:
    """Prints the sentences of a comparison with each clip's warnings, and writes it all where asked to."""
    if options.json is not None:
        _check_outs([options.json], [options.clip, options.other, options.transcript])
    from app.figures.compare import Side
    from app.telling.differences import comparison_of

    first, second = _sides(options)
    compared = comparison_of(first, second, same_clip=options.other is None)
    if options.json is not None:
        text = json.dumps(compared, allow_nan=False, ensure_ascii=False)
        options.json.write_bytes(text.encode("utf-8", "replace"))  # names may hold bytes that are no text
    remarks = [] if options.other else [tell("compare.caveat")]
    warned = (
        _warned(first, second) if options.other else _warned(Side(Path(options.clip).name, first.analysis))
    )
    _say("\n".join([*compared["sentences"], *remarks, *warned]))
    return 0


def _warned(*sides: Side) -> list[str]:
    """The warnings of every clip, each with the clip's name."""
    return [f"Note on {side.name}: {warning}" for side in sides for warning in side.analysis.warnings]


def _sides(options: argparse.Namespace) -> tuple[Side, Side]:
    """What is compared, with names. Raises InputError where the network with independent chains is not installed."""
    from app.asking import ask_independent
    from app.telling.differences import COUPLED, INDEPENDENT, sides_of
    from model.inference.loading import load_independent

    if options.other:
        clips = ((options.clip, options.transcript), (options.other, None))
        names = Path(options.clip).name, Path(options.other).name
        return sides_of(names, *(_read(options, clip, words, []) for clip, words in clips))
    try:
        load_independent()  # before the clip's minute
    except FileNotFoundError:
        raise InputError(tell("compare.not_installed")) from None
    kept: list[Grid] = []
    coupled = _read(options, options.clip, options.transcript, kept)
    return sides_of((COUPLED, INDEPENDENT), coupled, ask_independent(coupled, kept[0]))


def _read(options: argparse.Namespace, clip: str, transcript: str | None, kept: list[Grid]) -> Analysis:
    """The clip's analysis, with a progress bar; its grid is added to `kept`."""
    from app.analyze import analyze
    from extractors.cache import Cache

    with _Bar() as bar:
        given = clip, transcript, bar.report, Cache.from_environment(options.cache), options.language
        return analyze(*given, keep=kept.append, expect=bar.expect)


def _check_outs(outs: Sequence[Path], given: Sequence[str | None]) -> None:
    """Raises InputError where a file cannot be written, or would replace one that is read: before the work."""
    taken = {Path(path).resolve() for path in given if path}
    for out in (path.resolve() for path in outs):
        if not out.parent.is_dir():
            raise InputError(f"There is no folder {out.parent} to write {out.name} to.")
        if out.is_dir():
            raise InputError(f"{out} is a folder: name the file to write in it.")
        if out in taken:
            raise InputError(f"{out.name} is read, or written to already: name another file to write to.")
        taken.add(out)


def _say(text: str) -> None:
    """Print what a terminal of any encoding can show: names on disk may hold bytes that are no text."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


@_quietly()
def _batch(options: argparse.Namespace) -> int:
    """Gives 0 where every clip was analysed, or 1 where one failed: it is in the table with its reason."""
    from tqdm import tqdm

    from app.batch import run_batch

    with tqdm(file=sys.stderr, leave=False, unit="clip", dynamic_ncols=True) as bar:

        def tell(row: Row, done: int, count: int) -> None:
            bar.total, bar.n = count, done
            if row.state == "failed":
                bar.write(f"{row.clip}: {row.reason}", file=sys.stderr)
            bar.refresh()

        def progress(stage: str, fraction: float) -> None:
            bar.set_postfix_str(f"{STAGES[stage].lower()} {100 * fraction:.0f} %")

        rows = run_batch(options.folder, options.out, options.ray, tell, progress)
    failed = sum(row.state == "failed" for row in rows)
    _say(f"{len(rows) - failed} of {len(rows)} clips analysed: {options.out / 'index.html'}")
    return SOME_FAILED if failed else 0


def _seen_from(folder: Path, clip: Path) -> str:
    """The clip's path as a file in `folder` would link it; its name where the two share no drive."""
    try:
        return os.path.relpath(clip.resolve(), folder)
    except ValueError:
        return clip.name


def _serve(_: argparse.Namespace) -> int:
    from app.page import build_page, launch

    launch(build_page())
    return 0


class _Bar:
    """A progress bar on stderr over all stages, fed by `analyze`; nothing is left of it at the end."""

    def __init__(self) -> None:
        from tqdm import tqdm

        self._estimate: Estimate | None = None
        self._bar = tqdm(
            total=1.0,
            file=sys.stderr,
            leave=False,
            bar_format="{desc:<54} {bar} {percentage:3.0f} %  {elapsed}",
            dynamic_ncols=True,
        )

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def expect(self, estimate: Estimate) -> None:
        """Take what tells the time left."""
        self._estimate = estimate

    def report(self, name: str, _fraction: float) -> None:
        """Draw the stage at work; how far it is was told to the estimate."""
        left = ""
        if self._estimate is not None:
            left, self._bar.n = f", {about(self._estimate.left())}", self._estimate.share()
        self._bar.set_description_str(f"{STAGES[name]}{left}", refresh=False)
        self._bar.refresh()


if __name__ == "__main__":
    sys.exit(main())
