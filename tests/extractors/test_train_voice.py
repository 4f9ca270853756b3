from __future__ import annotations

import csv
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from extractors import train_voice
from extractors.media import decode, mixing
from extractors.train_voice import FOLDS, figures, fold_heads, folds, train_head
from extractors.training.fit_voice import Recipe
from extractors.training.statements import statements
from extractors.training.voice_windows import DRAWN, Windows, draw_windows, load_windows
from extractors.voice import vad
from extractors.voice.encoder import EMOTIONS, WIDTH
from extractors.voice.head import load_head, save_head
from tests.clips import RATE, speech

QUICK = Recipe(versions=1, windows=2, steps=10, directions=20, groups=2, units=8, epochs=3, batch=64)


def made_up(clips: int = 60, seed: int = 0) -> Windows:
    """Classes that differ in some of the columns, spoken by ten made-up people."""
    draw = np.random.default_rng(seed)
    emotion = np.arange(clips) % len(EMOTIONS)
    rows = draw.normal(size=(clips, 2, DRAWN, WIDTH)).astype(np.float16)
    rows[..., :99] += np.random.default_rng(1).normal(size=(len(EMOTIONS), 99))[emotion][:, None, None] * 4
    return Windows(rows, emotion, np.array([f"rav{i % 10:02d}" for i in range(clips)]))


def write_corpus(folder: Path) -> None:
    import soundfile

    sound = speech()
    with (folder / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "corpus", "speaker", "emotion", "intensity", "said", "score"])
        for i, emotion in enumerate(["happy", "sad", "angry", "neutral", "happy", "angry"]):
            soundfile.write(folder / f"{i}.flac", sound[i * 8000 : i * 8000 + 2 * RATE], RATE)
            table.writerow([f"{i}.flac", "ravdess", f"rav0{i}", emotion, "normal", "x", ""])


def test_what_can_be_learnt_is_learnt_and_told_on_the_unseen() -> None:
    windows = made_up(180)
    head = train_head(windows, {f"rav{i:02d}" for i in range(7)}, QUICK)
    unseen = np.isin(windows.speaker, ["rav07", "rav08", "rav09"])
    guess = head(windows.rows[unseen, 0, 0].astype(np.float32)).argmax(axis=1)
    assert np.mean(guess == windows.emotion[unseen]) > 0.5


def test_training_is_the_same_again_and_a_seed_draws_other_windows() -> None:
    windows, people = made_up(), {f"rav{i:02d}" for i in range(10)}
    first, again = (train_head(windows, people, QUICK).weight for _ in range(2))
    other = train_head(windows, people, Recipe(versions=1, windows=2, steps=10, seed=1)).weight
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_who_is_left_out_teaches_nothing() -> None:
    windows = made_up()
    people = {f"rav{i:02d}" for i in range(9)}
    changed = Windows(windows.rows.copy(), windows.emotion, windows.speaker)
    changed.rows[windows.speaker == "rav09"] = 9
    assert np.array_equal(
        train_head(windows, people, QUICK).weight, train_head(changed, people, QUICK).weight
    )


def test_folds_part_the_speakers_of_each_corpus() -> None:
    speakers = [f"rav{i:02d}" for i in range(1, 17)] + [f"emo{i:02d}" for i in range(3, 9)]
    parts = folds(speakers)
    assert sorted(s for part in parts for s in part) == sorted(speakers)
    assert all({s[:3] for s in part} == {"rav", "emo"} for part in parts)


def test_nobody_is_read_by_a_head_that_heard_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(tmp_path)
    runs, taught = tmp_path / "runs", []
    learn = train_voice.train_head

    def noted(windows: Windows, speakers: set[str], recipe: Recipe) -> object:
        taught.append(set(speakers))
        return learn(windows, speakers, recipe)

    monkeypatch.setattr(train_voice, "train_head", noted)
    heads = fold_heads(tmp_path, runs, QUICK)
    everyone = {f"rav0{i}" for i in range(6)}
    assert set(heads) == everyone
    assert len(taught) == FOLDS
    assert all(any(s not in group for group in taught) for s in everyone)
    paths = train_voice.fold_files(tmp_path, runs, QUICK)
    for speaker, path in paths.items():
        assert speaker in str(load_config(path)["trained"]["without"])
    fold_heads(tmp_path, runs, QUICK)
    assert len(taught) == FOLDS  # the second time they are read, not trained


def load_config(path: Path) -> dict:
    import json

    return json.loads(path.with_suffix(".json").read_text())


def test_other_labels_have_other_folds(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    before = train_voice.fold_files(tmp_path, tmp_path, QUICK)
    (tmp_path / "labels.csv").write_text((tmp_path / "labels.csv").read_text().replace("happy", "calm"))
    assert not set(before.values()) & set(train_voice.fold_files(tmp_path, tmp_path, QUICK).values())


def test_other_sound_under_the_same_name_is_not_taken_for_what_was_heard(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    before = train_voice.fold_files(tmp_path, tmp_path, QUICK)
    shutil.copy(tmp_path / "1.flac", tmp_path / "0.flac")
    assert not set(before.values()) & set(train_voice.fold_files(tmp_path, tmp_path, QUICK).values())


@pytest.mark.parametrize("module", [train_voice, decode, mixing, vad])
def test_code_that_does_something_else_makes_other_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    write_corpus(tmp_path)
    before = train_voice.fold_files(tmp_path, tmp_path, QUICK)
    code = Path(str(module.__file__)).read_text(encoding="utf-8")
    (tmp_path / "other.py").write_text(f"{code}\nX = 1\n", encoding="utf-8")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "other.py"))
    assert not set(before.values()) & set(train_voice.fold_files(tmp_path, tmp_path, QUICK).values())


def test_windows_are_kept_and_made_again_where_they_are_missing(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    runs = tmp_path / "runs"
    first = load_windows(tmp_path, 2, runs)
    assert first.rows.shape == (6, 2, DRAWN, WIDTH)
    sorted(runs.glob("windows-1-*.npy"))[0].unlink()
    assert np.array_equal(load_windows(tmp_path, 2, runs).rows, first.rows)
    assert not np.array_equal(first.rows[:, 0], first.rows[:, 1])


def test_a_window_holds_speech() -> None:
    rows = np.ones((30, WIDTH), np.float16)
    rows[:20] = 5
    share = np.zeros(30, np.float32)
    share[20:] = 1
    windows = draw_windows(rows, share, np.random.default_rng(0))
    assert windows[:, 0] == pytest.approx(1, abs=1e-3)


def test_comments_and_docstrings_name_nothing_new(tmp_path: Path) -> None:
    def named(text: str) -> str:
        path = tmp_path / "module.py"
        path.write_text(text)
        return statements(path)

    plain = named('"""A."""\nN = 1\ndef f():\n    """B."""\n    return N\n')
    assert plain == named('"""C."""\nN = 1  # D\ndef f():\n    """E."""\n    return N\n')
    assert plain != named('"""A."""\nN = 2\ndef f():\n    """B."""\n    return N\n')


def test_figures_by_hand() -> None:
    records = [
        {"corpus": c, "emotion": e}
        for c, e in [("ravdess", "happy"), ("ravdess", "sad"), ("ravdess", "sad"), ("emodb", "bored")]
    ]
    given = np.zeros((4, 9), np.float32)
    given[[0, 1, 2, 3], [EMOTIONS.index(e) for e in ("happy", "sad", "happy", "calm")]] = 1
    found = figures(given, np.array([2.0, -1.5, 2.0, -1.0], np.float32), records)
    assert found["recall_ravdess"] == pytest.approx(0.75)
    assert found["recall_emodb"] == pytest.approx(1.0)  # calm is no class of that corpus
    assert found["two_class"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)


def test_written_heads_are_read_back(tmp_path: Path) -> None:
    head = train_head(made_up(), {"rav00", "rav01", "rav02"}, QUICK)
    save_head(head, tmp_path / "head.safetensors", {"trained": {}})
    again = load_head(tmp_path / "head.safetensors")
    for name, value in vars(head).items():
        assert getattr(again, name) == pytest.approx(value, rel=1e-3, abs=1e-4)
