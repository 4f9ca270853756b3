from __future__ import annotations

import pytest

from model import sealed
from model.provenance.sums import DamagedWeightsError, check


def test_folders_are_sealed_and_a_file_made_anew_is_told_until_it_is_sealed_again(tmp_path, capsys):
    file = tmp_path / "config.json"
    file.write_text("{}")
    sealed.main([str(tmp_path)])
    assert capsys.readouterr().out.splitlines() == [str(file)]
    file.write_text("[]")
    with pytest.raises(DamagedWeightsError, match=r"python -m model\.sealed"):
        check(file)
    sealed.main([str(tmp_path)])
    check(file)


def test_a_folder_that_is_not_there_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit):
        sealed.main([str(tmp_path / "none")])
    assert "there is no folder" in capsys.readouterr().err
