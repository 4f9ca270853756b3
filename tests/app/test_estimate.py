"""The time left: what a stage usually costs, corrected by how this clip goes."""

from __future__ import annotations

import pytest

from app.estimate import AFTER, HEARING, Estimate, about
from app.i18n import LANGUAGES
from app.panels.status import stages_card
from app.server.runs import Run
from extractors.records import MediaInfo

CLIP = MediaInfo("clip.mp4", 600.0, 1280, 720, 25.0, True, True)
HEARD = MediaInfo("clip.wav", 600.0, 0, 0, 0.0, True, False)


def run_slowly(estimate: Estimate, times: float, until: float) -> tuple[float, float]:
    """Report the stages of HEARD, each `times` slower than usual, until a share of the whole is done.

    Gives the time of the last report, and the seconds that were really left then.
    """
    last, now = 0.0, 0.0
    whole = sum([*HEARING.values(), *AFTER.values()]) * HEARD.duration * times
    for name, cost in (HEARING | AFTER).items():
        lasts = cost * HEARD.duration * times
        for step in range(101):
            at = now + lasts * step / 100
            if at > until * whole:
                return last, whole - last
            estimate.report(name, step / 100, at)
            last = at
        now += lasts
    return last, 0.0


def test_the_share_counts_stages_by_what_they_cost() -> None:
    estimate = Estimate(HEARD)
    assert estimate.share() == 0
    shares = []
    for name in HEARING | AFTER:
        for fraction in (0.5, 1.0):
            estimate.report(name, fraction)
            shares.append(estimate.share())
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    words = Estimate(HEARD)
    words.report("words", 1.0)
    assert words.share() > 0.5  # most of what a voice alone costs
    words.report("opening the clip", 1.0)
    assert words.share() < 1


@pytest.mark.parametrize("times", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("until", [0.3, 0.6, 0.9])
def test_halfway_it_is_right_whatever_the_machine(times: float, until: float) -> None:
    estimate = Estimate(HEARD)
    last, truth = run_slowly(estimate, times, until)
    assert estimate.left(last) == pytest.approx(truth, rel=0.2, abs=3)


def test_before_anything_was_done_it_is_the_usual_time() -> None:
    hearing, rest = sum(HEARING.values()) * 600, sum(AFTER.values()) * 600
    assert Estimate(HEARD).left() == pytest.approx(hearing + rest)
    assert Estimate(CLIP).left() >= Estimate(HEARD).left()  # with the faces beside it


def test_what_was_kept_is_no_sign_of_a_fast_machine() -> None:
    fresh, again = Estimate(HEARD), Estimate(HEARD)
    for name in ("sound", "speech", "words"):
        again.report(name, 0.0, 0.0)
        again.report(name, 1.0, 0.01)
    voice = HEARING["voice"] * 600
    assert again.of("voice", 0.1) == pytest.approx(voice, rel=0.01)
    assert again.left(0.1) < fresh.left(0.1)


def test_it_counts_down_between_two_reports_and_never_below_nothing() -> None:
    estimate = Estimate(HEARD)
    estimate.report("voice", 0.0, 0.0)
    estimate.report("voice", 0.5, 30.0)
    assert estimate.of("voice", 30.0) == pytest.approx(30.0)
    assert estimate.of("voice", 40.0) == pytest.approx(20.0)
    assert estimate.of("voice", 99.0) == 0.0
    assert estimate.of("faces") == 0.0  # there are none to look for


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "a few seconds left"), (41.0, "about 40 s left"), (170.0, "about 3 min left")],
)
def test_it_is_told_as_roughly_as_it_is_known(seconds: float, said: str) -> None:
    assert about(seconds) == said
    assert len({about(seconds, language) for language in LANGUAGES}) == len(LANGUAGES)


def test_the_page_shows_it_beside_the_stage() -> None:
    run = Run(fractions={"voice": 0.5}, began={"voice": 0.0})
    assert "left" not in stages_card(run)
    run.estimate = Estimate(HEARD)
    run.estimate.report("voice", 0.5)
    card = stages_card(run)
    assert "50 % · a few seconds left" in card or "50 % · about" in card
    assert card.count("left") >= 2  # of the whole, and of the stage
