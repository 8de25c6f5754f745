"""From picture to picture: the first as a whole, then what changed, in the words of the stage."""

from __future__ import annotations

from typing import Any

import msgspec

from natslab.views.scene import WIDTH, Scene, foot, header, headline, legend_marks

FRAME = 64_000  # bytes of a frame
FULL = 256_000  # bytes of a full scene

_json = msgspec.json.Encoder()


class Deltas:
    """What one stage has of one view, and what it must be told to have the next picture.

    Parameters
    ----------
    controls: whether the view's buttons are shown.
    bounded: whether frames keep within `FRAME` and `FULL`; what does not fit comes in the next one.
    """

    def __init__(self, *, controls: bool = True, bounded: bool = True) -> None:
        self._controls = controls
        self._bounded = bounded
        self.forget()

    def forget(self) -> None:
        """The stage has nothing: the next frame is a full scene."""
        self.scene: Scene | None = None  # as the stage has it, but for what did not fit
        self.left_out = False  # something did not fit into the last frame
        self._sent: dict[str, bytes] = {}  # key -> mark as the stage has it
        self._order: list[str] = []
        self._flights: dict[str, bytes] = {}
        self._strip: dict[str, Any] = {}

    def frame(self, scene: Scene) -> dict[str, Any]:
        """What to tell the stage: `{"op": "scene", ...}` at first, later `{"op": "delta", ...}`."""
        marks = [*headline(scene), *scene.marks]
        encoded = {m.key: _json.encode(m) for m in marks}
        flights = {f.key: _json.encode(f) for f in scene.flights}
        strip = self._strip_of(scene)
        full = self.scene is None
        flown = {k: d for k, d in flights.items() if self._flights.get(k) != d}
        # Beside the marks that changed travel flights, the strip around the picture, and keys: what goes,
        # and the order of what stays.
        keys = sum(len(k) + 3 for k in (*encoded, *self._sent, *self._flights))
        room = (FULL if full else FRAME) - 1_000 - keys - len(_json.encode(strip))
        room -= sum(map(len, flown.values()))
        changed: dict[str, bytes] = {}
        self.left_out = False
        for key, data in encoded.items():
            if self._sent.get(key) != data:
                if self._bounded and (room := room - len(data)) < 0:
                    self.left_out = True
                    break
                changed[key] = data
        marks_now = [msgspec.Raw(d) for d in changed.values()]
        frame: dict[str, Any]
        if full:
            flying = [msgspec.Raw(f) for f in flights.values()]
            frame = {"op": "scene", "full": True, "scene": {**strip, "marks": marks_now, "flights": flying}}
        else:
            gone = [k for k in self._sent if k not in encoded]
            frame = {
                "op": "delta", **self._strip_change(strip), "set": marks_now, "del": gone,
                "flights": [msgspec.Raw(d) for d in flown.values()],
                "gone": [k for k in self._flights if k not in flights],
            }  # fmt: skip
            for key in gone:
                del self._sent[key]
        self._sent.update(changed)
        order = [k for k in encoded if k in self._sent]
        if not full and order != self._order:
            frame["order"] = order
        self._order, self._flights, self._strip, self.scene = order, flights, strip, scene
        return frame

    def _strip_of(self, scene: Scene) -> dict[str, Any]:
        """Everything of a scene that is not a mark or a flight, as plain JSON."""
        said = "".join(t for t, _ in scene.sentence) + " " + "".join(t for t, _ in scene.note)
        legend = legend_marks(scene)
        narrow = {"width": scene.width, "top": scene.top} if scene.width != WIDTH else {}
        return {
            "view": scene.view, "title": scene.title, "height": scene.height, "foot": foot(legend), **narrow,
            "lab": scene.lab, "said": said.strip(),
            "head": msgspec.to_builtins(header(scene)),
            "legend": msgspec.to_builtins(legend),
            "controls": msgspec.to_builtins(scene.controls) if self._controls else [],
            "burst": msgspec.to_builtins(scene.burst) if scene.burst and self._controls else None,
        }  # fmt: skip

    def _strip_change(self, strip: dict[str, Any]) -> dict[str, Any]:
        """What of it changed: plain values together, lists of marks and buttons by themselves."""
        changed = {k: v for k, v in strip.items() if self._strip.get(k) != v}
        out: dict[str, Any] = {}
        for key, name in (("head", "hd"), ("legend", "legend"), ("controls", "controls")):
            if key in changed:
                out[name] = changed.pop(key)
        return {**out, "head": changed} if changed else out
