from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.command_line import CONFIGS
from model.training.mosi import (
    MosiSettings,
    batches,
    build,
    drop_modalities,
    predict,
    read_settings,
    train,
    two_class_accuracy,
)
from tests.model.mosi_files import made_videos

SMALL = MosiSettings(
    epochs=2,
    batches=2,
    components={"text": 3},
    network={"d_model": 8, "d_state": 2, "layers": 1, "dropout": 0.0},
)


@pytest.fixture
def videos():
    return made_videos()


def test_training_is_repeatable_and_seeded(videos):
    first, again, other = (predict(train(SMALL, videos, seed), videos) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    assert (first[~videos.told] == 0).all()


def test_what_can_be_learnt_is_learnt():
    videos = made_videos(videos=20)
    settings = replace(SMALL, modalities=("words",), epochs=40, learning_rate=1e-2)
    held = made_videos(videos=6, seed=1)
    assert two_class_accuracy(predict(train(settings, videos, 0), held), held) > 0.9


def test_the_order_of_videos_in_a_batch_does_not_matter(videos):
    network = train(SMALL, videos, 0)
    turned = np.arange(len(videos))[::-1]
    np.testing.assert_allclose(
        predict(network, videos.take(turned)), predict(network, videos)[turned], atol=1e-5
    )


def test_components_keep_what_varies_most(videos):
    reader = build(SMALL, videos.only(SMALL.modalities), 0)
    rows = torch.from_numpy(videos.values["text"][videos.told])
    reduced = reader.reduce("text", rows)
    assert reduced.shape[1] == 3
    torch.testing.assert_close(reduced.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(reduced.T), torch.eye(3), atol=1e-3, rtol=0)
    assert reader.network.forwards.config.features == {"text": 3, "audio": 3, "visual": 4}


def test_all_features_are_kept_where_no_components_are_asked_for(videos):
    reader = build(replace(SMALL, components={}), videos.only(SMALL.modalities), 0)
    rows = torch.from_numpy(videos.values["text"][videos.told])
    torch.testing.assert_close(reader.reduce("text", rows), (rows - rows.mean(0)) / rows.std(0))


def test_the_anchor_is_a_linear_reading_that_the_network_adds_to():
    videos = made_videos(videos=20)
    settings = replace(SMALL, modalities=("words",), epochs=1, learning_rate=1e-9, anchor=0.1)
    held = made_videos(videos=6, seed=1)
    reader = train(settings, videos, 0)
    assert two_class_accuracy(predict(reader, held.only(["words"])), held) > 0.9
    values = {"words": torch.from_numpy(held.values["words"])}
    presence = torch.from_numpy(held.only(["words"]).presence())
    with torch.no_grad():
        whole = reader(values, presence).ticks
        own = reader.network({"words": reader.reduce("words", values["words"])}, presence).ticks
        linear = reader.columns({"words": reader.reduce("words", values["words"])}, presence) @ reader.anchor
    torch.testing.assert_close(whole, own + linear)


def test_a_modality_may_be_dropped_but_not_all():
    presence = np.ones((50, 20, 3), np.float32)
    dropped = drop_modalities(presence, 0.5, np.random.default_rng(0))
    assert (dropped.max(-1) == 1).all()
    assert 0.3 < 1 - dropped.mean() < 0.5
    np.testing.assert_array_equal(drop_modalities(presence, 0.0, np.random.default_rng(0)), presence)


def test_batches_hold_every_video_once(videos):
    found = batches(videos, 3, np.random.default_rng(0))
    assert sorted(np.concatenate(found)) == list(range(len(videos)))


def test_accuracy_counts_neutral_as_not_negative(videos):
    assert two_class_accuracy(videos.score, videos) == 1
    assert two_class_accuracy(np.full_like(videos.score, -1), videos) == pytest.approx(
        np.mean(videos.score[videos.told] < 0)
    )


def test_the_config_has_known_keys_only(tmp_path):
    assert read_settings(CONFIGS / "mosi.toml").modalities == ("text", "audio", "visual")
    (tmp_path / "c.toml").write_text("epoch = 3\n")
    with pytest.raises(TypeError, match="epoch"):
        read_settings(tmp_path / "c.toml")
