"""What a page was drawn from goes with it: nothing of it waits for the garbage collector, which looks seldom."""

from __future__ import annotations

import gc
from collections import Counter

import pytest

from tests.http.inbox_setup import talk
from tests.support.world import World


@pytest.mark.parametrize("path", ["/w/acme/inbox", "/w/acme/inbox/list", "/w/acme/inbox/{id}", "/w/acme/settings"])
async def test_a_page_leaves_nothing_behind(world: World, path: str) -> None:
    found = await talk(world)
    alice = await world.session("alice")
    there = path.format(id=found.id)
    await alice.get(there)
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert (await alice.get(there)).status_code == 200
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = Counter(type(one).__name__ for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert not left.keys() & {"_Context", "Macro", "PageContext", "Conversation", "Message", "Phone", "Here"}, left
