from __future__ import annotations

from dataclasses import replace

import pytest

from model import mosi
from model.mosi import (
    ROWS,
    against,
    cross_validate,
    run,
    table,
)
from model.training.runs import read_runs
from tests.model.mosi_files import made_videos, write
from tests.model.training.test_mosi import SMALL


@pytest.fixture
def videos():
    return made_videos()


@pytest.mark.parametrize("row", list(ROWS))
def test_every_row_runs(videos, row):
    found = run(SMALL, row, videos, seed=0, count=4, fold=1)
    assert 0 <= found["exchanged"] <= 1
    assert found["n_train"] + found["n_test"] == videos.told.sum()


def test_fusions_are_compared_at_equal_size():
    videos = made_videos()
    settings = replace(SMALL, epochs=1, network={"d_model": 32, "d_state": 8, "layers": 1})
    sizes = {
        row: run(settings, row, videos, 0, 4, 0)["parameters"]
        for row in ("coupled", "mean", "independent", "late", "concat", "attention")
    }
    assert max(sizes.values()) < 1.3 * min(sizes.values())


def test_a_stopped_table_goes_on(tmp_path, videos):
    kept = tmp_path / "runs.jsonl"
    arguments = (SMALL, videos, ["coupled", "independent"])
    first = cross_validate(*arguments, seeds=1, count=4, held=1, kept=kept)
    lines = kept.read_text().splitlines()
    kept.write_text(kept.read_text() + '{"row": "coup\n')  # stopped while it wrote
    both = cross_validate(*arguments, seeds=2, count=4, held=1, kept=kept)
    assert kept.read_text().splitlines()[: len(lines)] == lines
    assert (len(first), len(both), len(read_runs(kept))) == (2, 4, 4)
    assert "coupled" in table(both)
    paired = against(both, "coupled", "independent")
    assert paired is not None
    assert paired.pairs == 2
    assert against(first, "coupled", "independent") is None


def test_runs_of_other_settings_folds_or_data_are_not_taken_for_these(tmp_path, videos):
    kept = tmp_path / "runs.jsonl"

    def runs(settings=SMALL, videos=videos, rows=("text",), count=4):
        return cross_validate(settings, videos, rows, seeds=1, count=count, held=1, kept=kept)

    first = runs()
    assert runs() == first
    assert runs(videos=videos.only(["audio", "text"])) == first, "what another row reads does not matter"
    assert len(read_runs(kept)) == 1
    runs(settings=replace(SMALL, epochs=1))
    runs(videos=replace(videos, score=-videos.score))
    runs(count=3)
    assert len(read_runs(kept)) == 4
    assert runs() == first
    assert len(read_runs(kept)) == 4


def test_the_command_prints_a_table(tmp_path, capsys):
    write(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text("epochs = 1\n[network]\nd_model = 8\nd_state = 2\nlayers = 1\n")
    options = ["--config", str(config), "--seeds", "1", "--folds", "3", "--runs", str(tmp_path / "r.jsonl")]
    mosi.main([str(tmp_path), *options, "--rows", "coupled", "text"])
    printed = capsys.readouterr().out
    assert "coupled" in printed
    assert "82.31" in printed
    with pytest.raises(SystemExit):
        mosi.main([str(tmp_path / "missing")])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds", "0"], "argument --seeds: 0 is given and at least 1 is needed"),
        (["--held", "6"], "--folds is 5 and --held 6: give 2 to 8 folds"),
        (["--folds", "9"], "--folds is 9 and --held 9: give 2 to 8 folds"),
    ],
)
def test_options_that_cannot_be_are_told_before_the_work(options, said, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mosi, "run", lambda *_: pytest.fail("a network was trained"))
    write(tmp_path)
    with pytest.raises(SystemExit):
        mosi.main([str(tmp_path), "--rows", "text", "--runs", str(tmp_path / "r.jsonl"), *options])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "other"),
    [
        ("coupled", "independent"),
        ("attention", "independent"),
        ("independent", "independent"),
        ("words+all mean", "words+all independent"),
        ("text", None),
        ("words", None),
    ],
)
def test_rows_are_tested_against_independent_chains_on_the_same_inputs(row, other):
    assert mosi.independent_of(row) == other
