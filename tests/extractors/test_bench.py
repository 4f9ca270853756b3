from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from extractors.bench import __main__ as command
from extractors.bench import measure as bench
from extractors.bench import stages
from extractors.bench.__main__ import main, table
from extractors.bench.measure import SUM, Row
from extractors.bench.peers import ON_PICTURES, ON_SOUND
from extractors.bench.run import Run
from extractors.bench.stages import CACHED, ON_WORDS, STAGES, WHOLE
from extractors.records import Transcript, Word
from tests.clips import make_clip


@pytest.mark.slow
def test_every_stage_and_peer_gets_a_row(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 3.0)
    rows = {row.stage: row for row in bench.bench(clip)}
    assert list(rows) == [*STAGES, SUM, *WHOLE, *CACHED, *ON_WORDS, *ON_SOUND, *ON_PICTURES]
    assert all(row.warm > 0 and row.first > 0 for row in rows.values())
    assert rows[SUM].warm == pytest.approx(sum(rows[name].warm for name in STAGES))
    assert rows["pictures + faces"].found == "a face in 15 of 15 pictures"
    assert rows["grid"].found in ("15 ticks", "16 ticks")
    assert int(rows["words"].found.split()[0]) >= 4
    assert rows["clip to grid, side by side"].found == "8 stages worked out"
    again, corrected = rows["cache: filled, then read"], rows["cache: another transcript"]
    assert again.found == "0 stages worked out"
    assert again.first > 2 * again.warm
    assert corrected.found == "given, text, grid worked out"
    assert corrected.warm < again.first


def test_memory_is_the_peak_of_the_stage_alone() -> None:
    run = Run(Path("none"))

    def hungry(_: Run) -> str:
        return str(len(bytearray(b"1") * 200_000_000))

    rows = bench.measure(run, {"hungry": hungry, "frugal": lambda _: ""}, span=2.0)
    if rows[0].peak_mb is None or rows[1].peak_mb is None:
        pytest.skip("this system does not tell a stage's peak memory")
    assert rows[0].peak_mb > rows[1].peak_mb + 150


def test_clips_without_sound_or_pictures_are_measured_all_the_same(tmp_path: Path) -> None:
    silent = [row.stage for row in bench.bench(make_clip(tmp_path / "a.mp4", 0.4, sound=None))]
    assert silent == [*STAGES, SUM, *WHOLE, *CACHED, *ON_PICTURES]
    heard = [row.stage for row in bench.bench(make_clip(tmp_path / "a.wav", 3.0, video=None), peers=False)]
    assert heard == [*STAGES, SUM, *WHOLE, *CACHED, *ON_WORDS]


def test_the_table_says_how_many_times_faster_than_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "import_seconds", lambda: 0.25)
    text = table(
        [Row("words", 3.0, 1.5, 2.5, 60.0, 812.0, "140 words"), Row("voice", 1.0, 0.5, 0.5, 60.0, None, "")]
    )
    first, second = text.splitlines()[1:3]
    assert first.split() == ["words", "3.00", "1.500", "2.500", "0.0250", "812", "140", "words"]
    assert second.split() == ["voice", "1.00", "0.500", "0.500", "0.0083", "-"]


def test_the_corrected_word_is_the_first_and_nothing_else_of_its_cue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    class Reader:
        worked = ("given",)

    def look(_: Run, transcript: Path, __: object) -> type[Reader]:
        read.append(transcript.read_text(encoding="utf-8"))
        return Reader

    monkeypatch.setattr(stages, "_read", look)
    run = Run(
        Path("none"),
        transcript=Transcript((Word("0", 0.0, 1.0), Word("1", 1.0, 2.0)), (0, 0)),
        folder=tmp_path,
    )
    for _ in range(2):
        assert stages._corrected(run) == "given worked out"
    assert read[1] == ("1\n00:00:00,000 --> 00:00:01,000\nonce2\n\n2\n00:00:01,000 --> 00:00:02,000\n1\n")


def test_a_clip_is_looped_and_scaled_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "import_seconds", lambda: 0.25)
    measured = bench.bench

    def only_probed(clip: Path, peers: bool) -> list[Row]:
        assert not peers
        monkeypatch.setattr(bench, "STAGES", {"probe": STAGES["probe"]})
        monkeypatch.setattr(bench, "WHOLE", {})
        monkeypatch.setattr(bench, "CACHED", {})
        return measured(clip, peers)

    monkeypatch.setattr(command, "bench", only_probed)
    clip = str(make_clip(tmp_path / "a.mp4", 1.0))
    assert main([clip, clip, "--seconds", "3", "--height", "120", "--no-peers"]) == 0
    said = capsys.readouterr().out
    assert "160 x 120, 3.0 s" in said
    assert "import extractors: 0.250 s" in said
    with pytest.raises(SystemExit):
        main([clip, clip])
    assert "give --seconds" in capsys.readouterr().err


def test_the_import_is_timed() -> None:
    assert 0 < command.import_seconds() < 60


def test_the_import_loads_no_library_that_takes_its_time() -> None:
    """In half a second there is time for numpy; the others are loaded with what needs them."""
    heavy = "av cv2 torch librosa scipy pandas onnxruntime sentence_transformers transformers peft pocketsphinx numba"
    script = "import sys, extractors; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(found.stdout.split())
    assert "numpy" in loaded
    assert not loaded & set(heavy.split())


def test_a_bad_clip_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.mp4")]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("There is no file")
    assert captured.out == ""
