from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from model.data.mosi import EXPECTED, exchange, folds, read, right_chance
from tests.model.mosi_files import WIDTHS, arrays, made_videos, write


def test_utterances_stand_in_the_order_spoken(tmp_path):
    videos, file = read(write(tmp_path)), arrays()
    assert videos.widths == WIDTHS
    for v, name in enumerate(videos.names):
        rows = videos.row[v][videos.told[v]]
        assert set(file["video"][rows]) == {name}
        assert (np.diff(file["clip"][rows]) > 0).all()
        np.testing.assert_array_equal(videos.values["text"][v][videos.told[v]], file["text"][rows])
        np.testing.assert_array_equal(videos.score[v][videos.told[v]], file["score"][rows])
    assert sorted(videos.row[videos.told]) == list(range(len(file["score"])))


def test_padding_is_unobserved_and_can_be_trimmed():
    videos = made_videos()
    assert videos.presence().shape == (*videos.told.shape, 4)
    assert (videos.presence()[~videos.told] == 0).all()
    shortest = int(np.argmin(videos.told.sum(1)))
    trimmed = videos.take([shortest]).only(["text"]).trimmed()
    assert trimmed.told.all()
    assert trimmed.values["text"].shape[1] == videos.told[shortest].sum()
    assert trimmed.widths == {"text": 5}


@pytest.mark.parametrize("key", ["text", "visual", "score", "video", "clip"])
def test_missing_arrays_are_named(tmp_path, key):
    with pytest.raises(ValueError, match=f"lacks {key}"):
        read(write(tmp_path, **{key: None}))


def test_transcripts_are_missed_only_where_they_are_wanted(tmp_path):
    path = write(tmp_path, transcript=None)
    assert "words" not in read(path).values
    with pytest.raises(ValueError, match="lacks transcript"):
        read(path, words=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"audio": np.zeros((3, 3), np.float32)}, "one length"),
        ({"audio": np.full(arrays()["audio"].shape, np.nan, np.float32)}, "not finite"),
        ({"text": arrays()["score"]}, "text has shape"),
    ],
)
def test_broken_arrays_are_refused(tmp_path, changes, says):
    with pytest.raises(ValueError, match=says):
        read(write(tmp_path, **changes))


def test_pickled_arrays_are_not_read(tmp_path):
    path = write(tmp_path, text=np.array([{"a": 1}] * len(arrays()["score"]), object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read(path)


def test_folds_hold_every_video_out_once():
    found = folds(11, 5, seed=3)
    assert sorted(np.concatenate([out for _, out in found])) == list(range(11))
    for inside, outside in found:
        assert sorted([*inside, *outside]) == list(range(11))
    assert not np.array_equal(found[0][1], folds(11, 5, seed=4)[0][1])
    np.testing.assert_array_equal(found[0][1], folds(11, 5, seed=3)[0][1])


@pytest.mark.parametrize("count", [1, 9])
def test_impossible_folds_are_refused(count):
    with pytest.raises(ValueError, match="folds of 8 videos"):
        folds(8, count, 0)


def test_exchange_makes_a_modality_as_wrong_as_expected():
    videos = made_videos(videos=150)
    told, rating = videos.told, videos.score >= 0
    sign = np.where(rating, 1.0, -1.0).astype(np.float32)
    videos.values["text"][..., 0] = sign
    changed = exchange(videos, np.random.default_rng(0), {"text": 0.77})
    right = (changed["text"][..., 0] >= 0) == rating
    assert right[told].mean() == pytest.approx(0.77, abs=0.03)
    strong = told & (np.abs(videos.score) > 2)
    weak = told & (np.abs(videos.score) < 1)
    assert right[strong].mean() > right[weak].mean() + 0.1
    np.testing.assert_array_equal(changed["words"], videos.values["words"])
    np.testing.assert_array_equal(changed["audio"], videos.values["audio"])


def test_exchange_leaves_padding_and_one_sided_videos_alone():
    videos = made_videos()
    changed = exchange(videos, np.random.default_rng(0))
    assert all((changed[m][~videos.told] == 0).all() for m in changed)
    videos.score[:] = 1
    np.testing.assert_array_equal(exchange(videos, np.random.default_rng(0))["text"], videos.values["text"])


def test_right_chances_have_the_expected_mean():
    videos = made_videos(videos=50)
    for mean in EXPECTED.values():
        chance = right_chance(videos, mean)
        assert chance.min() >= 0.5
        assert chance.max() < 0.981
        assert chance[videos.told].mean() == pytest.approx(mean, abs=0.02)


def test_the_trap_is_in_the_data():
    """One direction of the text features tells nearly all of the signs that they were learnt from."""
    folder = (
        Path(os.environ.get("COUPLED_MAMBA_DATA", Path(__file__).parents[4] / "shared" / "data"))
        / "mosi_utterances"
    )
    if not (folder / "train.npz").exists():
        pytest.skip(f"there is no {folder / 'train.npz'}")
    videos = read(folder / "train.npz")
    rows = videos.values["text"][videos.told]
    along = np.linalg.svd(rows - rows.mean(0), full_matrices=False)[0][:, 0]
    right = np.mean((along >= 0) == (videos.score[videos.told] >= 0))
    assert max(right, 1 - right) > 0.95
