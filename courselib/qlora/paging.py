"""Paged optimisers and offloading: state that does not fit on the card lies in the main memory, and travels.

A paged optimiser lets its moments be moved, page by page, when activations need the room, and fetched when the step needs them
(CUDA's unified memory does it, without anybody asking). There is no card here; but what moves, and how long that takes, follows
from three numbers: pages, room, and the speed of the bus. So this is a model with a clock of its own, not a measurement.

Whether it is part of QLoRA? The paper introduced it beside NF4 and double quantisation; it serves any optimiser, and QLoRA runs
without it. Source: Dettmers et al. 2023, arXiv:2305.14314, section 3, "Paged Optimizers".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass
class PagedMemory:
    """A card with room for so many pages, which sends away what was touched longest ago. `fetched` and `sent` count pages so
    far."""

    room: int
    fetched: int = 0
    sent: int = 0
    held: OrderedDict[int, None] = field(default_factory=OrderedDict)

    def touch(self, page: int) -> None:
        """The page is needed on the card now."""
        if page in self.held:
            self.held.move_to_end(page)
            return
        while len(self.held) >= max(1, self.room):
            self._send()
        self.held[page] = None
        self.fetched += 1

    def leave(self, room: int) -> None:
        """Something else takes memory: from now on there is room for `room` pages only."""
        self.room = room
        while len(self.held) > max(0, room):
            self._send()

    def _send(self) -> None:
        self.held.popitem(last=False)
        self.sent += 1


@dataclass(frozen=True)
class Transfers:
    """What a step moved: pages in and out, and the seconds of the step when moving waits, and when it overlaps computing."""

    pages: int
    waiting: float
    overlapped: float


def step_with_pages(
    pages: int, room: int, room_at_peak: int, *, page_gb: float, bus_gb_s: float, compute_s: float, steps: int = 3
) -> Transfers:
    """The last of several steps of a paged optimiser: during forward and backward there is less room, then all pages are touched.

    page_gb: of a page. bus_gb_s: GB the bus moves in a second. compute_s: seconds of computing in a step.
    """
    card = PagedMemory(room)
    before = 0
    for _ in range(steps):
        before = card.fetched + card.sent
        card.leave(room_at_peak)
        card.room = room
        for page in range(pages):
            card.touch(page)
    moved = card.fetched + card.sent - before
    travel = moved * page_gb / bus_gb_s
    return Transfers(moved, compute_s + travel, max(compute_s, travel))
