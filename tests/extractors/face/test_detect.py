from pathlib import Path

import cv2
import huggingface_hub
import numpy as np
import pytest

from extractors.face import detect
from extractors.face.detect import Box, Cascades, YuNet, cut, make_detector, nearest
from extractors.records import InputError


def test_the_nearest_box_of_like_size_is_the_same_face() -> None:
    last = Box(100, 100, 50, 8)
    there, large, far = Box(110, 105, 52, 3), Box(90, 90, 120, 9), Box(180, 100, 50, 9)
    assert nearest([far, large, there], last) == there
    assert nearest([far, large], last) is None
    assert nearest([], last) is None


@pytest.mark.parametrize("tilt", [0.0, 22.0, -35.0])
def test_a_cut_knows_the_way_back(tilt: float) -> None:
    grey = np.zeros((200, 300), np.uint8)
    grey[95:106, 165:176] = 255  # a spot right of the middle of the box
    part, back = cut(grey, Box(120, 70, 60, 1, tilt), 1.5)
    rows, columns = np.nonzero(part > 128)
    np.testing.assert_allclose(back @ [columns.mean(), rows.mean(), 1], [170, 100], atol=1.0)


def test_a_cut_beyond_the_picture_is_what_is_inside() -> None:
    grey = np.zeros((50, 50), np.uint8)
    assert cut(grey, Box(40, 40, 20, 1), 1.0)[0].shape == (10, 10)
    assert cut(grey, Box(90, 90, 20, 1), 1.0)[0].size == 0


def test_the_cascades_are_used_unless_yunet_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(detect.YUNET_SETTING, raising=False)
    assert isinstance(make_detector(), Cascades)


def test_yunet_that_cannot_be_fetched_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(*_: str) -> str:
        raise ConnectionError

    monkeypatch.setenv(detect.YUNET_SETTING, "hub")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    with pytest.raises(
        InputError, match=r"could not be fetched .*ConnectionError.* unset COUPLED_MAMBA_YUNET"
    ):
        make_detector()


def test_without_the_hub_yunet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(detect.YUNET_SETTING, "hub")
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="huggingface_hub, which fetches it, is not installed"):
        make_detector()


def test_yunets_file_must_be_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(detect.YUNET_SETTING, str(tmp_path / "none.onnx"))
    with pytest.raises(InputError, match="which is no file"):
        make_detector()
    (tmp_path / "text.onnx").write_text("no network")
    monkeypatch.setenv(detect.YUNET_SETTING, str(tmp_path / "text.onnx"))
    with pytest.raises(InputError, match=r"cannot read text\.onnx as YuNet"):
        make_detector()


def test_yunets_rows_become_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights are not shipped, so the network is stood in for by one row of the format OpenCV documents."""

    class Network:
        def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802  # OpenCV's name
            assert size == (300, 200)

        def detect(self, picture: np.ndarray) -> tuple[int, np.ndarray]:
            assert picture.shape == (200, 300, 3)
            eyes = [100, 60, 120, 60 + 20 * np.tan(np.radians(20))]
            return 1, np.array([[90, 40, 40, 60, *eyes, *[0] * 6, 0.9]], np.float32)

    monkeypatch.setattr(cv2.FaceDetectorYN, "create", lambda *_: Network())
    yunet = YuNet(Path("any.onnx"))
    (box,) = yunet.search(np.zeros((200, 300), np.uint8))
    assert box[:3] == (85, 45, 50)
    assert box.weight == pytest.approx(7.2)
    assert box.tilt == pytest.approx(20, abs=0.01)
    assert yunet.near(np.zeros((200, 300), np.uint8), box) == box
