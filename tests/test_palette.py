"""The five state colours stay apart for every eye, and readable on their grounds."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from natslab.views.scene import CLASSES, STATES, STATIC

CSS = (STATIC / "stage.css").read_text(encoding="utf-8")

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def colours(theme: str) -> dict[str, str]:
    start = CSS.index(".natslab {") if theme == "light" else CSS.index(".natslab.dark {")
    block = CSS[start : CSS.index("}", start)]
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})", block))


def linear(colour: str) -> list[float]:
    values = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]


def luminance(colour: str) -> float:
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: list[float], vision: str) -> tuple[float, float, float]:
    r, g, b = (
        min(1.0, max(0.0, sum(w * v for w, v in zip(row, rgb, strict=True)))) for row in VISION[vision]
    )
    x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047
    y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b
    z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883
    fx, fy, fz = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def delta_e(one: tuple[float, float, float], two: tuple[float, float, float]) -> float:
    """CIEDE2000 (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    c = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(c**7 / (c**7 + 25**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 if a or b else 0.0 for a, b in ((a1, b1), (a2, b2)))
    dl, dc, dh = l2 - l1, c2 - c1, h2 - h1
    if c1 * c2 == 0:
        dh = 0.0
    elif dh > 180:
        dh -= 360
    elif dh < -180:
        dh += 360
    dhh = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(dh / 2))
    lm, cm = (l1 + l2) / 2, (c1 + c2) / 2
    if c1 * c2 == 0:
        hm = h1 + h2
    elif abs(h1 - h2) <= 180:
        hm = (h1 + h2) / 2
    else:
        hm = (h1 + h2 + (360 if h1 + h2 < 360 else -360)) / 2
    t = (
        1
        - 0.17 * math.cos(math.radians(hm - 30))
        + 0.24 * math.cos(math.radians(2 * hm))
        + 0.32 * math.cos(math.radians(3 * hm + 6))
        - 0.20 * math.cos(math.radians(4 * hm - 63))
    )
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rt = (
        -2
        * math.sqrt(cm**7 / (cm**7 + 25**7))
        * math.sin(math.radians(60 * math.exp(-(((hm - 275) / 25) ** 2))))
    )
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dhh / sh) ** 2 + rt * (dc / sc) * (dhh / sh))


def test_the_formula() -> None:
    # A published test pair of CIEDE2000.
    assert delta_e((50, 2.6772, -79.7751), (50, 0, -82.7485)) == pytest.approx(2.0425, abs=1e-4)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_states_stay_apart(theme: str, vision: str) -> None:
    shades = {s: lab(linear(colours(theme)[s]), vision) for s in STATES}
    for a, b in itertools.combinations(sorted(STATES), 2):
        assert delta_e(shades[a], shades[b]) >= 20, f"{a} and {b}"


@pytest.mark.parametrize(("theme", "least"), [("light", 3.0), ("dark", 4.5)])
def test_states_stand_out_from_the_ground(theme: str, least: float) -> None:
    have = colours(theme)
    for state in STATES:
        assert contrast(have[state], have["ground"]) >= least, state
        assert contrast(have[f"on-{state}"], have[state]) >= 4.5, f"text on {state}"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_is_readable_on_every_ground(theme: str) -> None:
    have = colours(theme)
    for ink in ("ink", "ink2", "ink3"):
        for ground in ("ground", "floor", "raised", "panel"):
            assert contrast(have[ink], have[ground]) >= 4.5, f"{ink} on {ground}"


def test_the_preferred_dark_theme_is_the_dark_theme() -> None:
    media = CSS[CSS.index("@media (prefers-color-scheme: dark)") :]
    block = media[: media.index("}")]
    assert dict(re.findall(r"--([\w-]+):\s*(#[0-9A-Fa-f]{6})", block)) == colours("dark")


def test_every_class_has_a_rule() -> None:
    silent = {"seen"}
    for name in CLASSES - silent:
        assert re.search(rf"\.{re.escape(name)}\b", CSS), f"no rule for .{name}"
