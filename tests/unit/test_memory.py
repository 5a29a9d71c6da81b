"""What the process needed once and needs no more goes back to the machine."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own, so that nothing else lies in its memory. Every second piece stays, so the end of the heap
# does too, and no free() gives anything back by itself.
_HOLED = """
import asyncio, re
from chime import memory

memory.keep_memory_together()
memory.GIVEN_BACK_EVERY = 0.01

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])

kept = [bytes(70_000) for _ in range(1_000)]
full = resident()
kept = kept[1::2]
holed = resident()

async def nothing_else():
    pass

async def main():
    giving = asyncio.create_task(memory.give_back_memory(nothing_else))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if full - resident() > 20_000:
            break
    giving.cancel()
    print(full - holed, full - resident())

asyncio.run(main())
"""


def test_what_lies_between_pieces_in_use_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _HOLED], capture_output=True, text=True, timeout=60, check=True)
    by_itself, given_back = (int(kilobytes) for kilobytes in done.stdout.split())
    assert by_itself < 5_000 and given_back > 20_000
