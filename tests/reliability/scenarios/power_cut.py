"""The power goes while webhooks arrive and messages leave: what was acknowledged is there, every file is whole.

One round is one power cut. A real server's writes are recorded together with what the outside was told; then the disk
is built as it could look after a cut at a random moment (`tests.reliability.power`), opened as Chime opens it, and
compared: the workspace's files, and control.db with what came for a number that nobody has connected.
"""

from __future__ import annotations

import random
import time

from tests.reliability.images import Judge, Told
from tests.reliability.parked import STRANGER, share
from tests.reliability.power import Disk
from tests.reliability.recording import Recorder, Recording
from tests.reliability.scenario import Options, Outcome, Watch

SHORT, NIGHTLY, RELEASE = 800, 100_000, 1_000_000
CUTS_OF_A_RECORDING = 4_000
MOST_FAULTS = 10


async def run(options: Options) -> Outcome:
    watch, luck = Watch("power-cut", options), options.luck()
    recorder = Recorder(options.folder, luck)
    left, changes, seconds, verdicts = options.rounds, 0, 0.0, {"lost": 0, "corrupt": 0, "torn": 0}
    for_strangers = 0
    while left and len(watch.faults) < MOST_FAULTS:
        recording = await recorder.record()
        changes += len(recording.log)
        for_strangers += sum(1 for delivery in recording.deliveries.values()
                             if share(delivery.body, STRANGER.phone_number_id))
        cuts = min(left, CUTS_OF_A_RECORDING)
        left -= cuts
        begun = time.perf_counter()
        with Judge(recorder.installed, recording.deliveries) as judge:
            watch.faults += cut(recording, judge, cuts, luck)[:MOST_FAULTS]
        seconds += time.perf_counter() - begun
        verdicts = {name: count + judge.verdicts[name] for name, count in verdicts.items()}
    watch.figures |= {"cuts": options.rounds - left, "cuts_a_second": round((options.rounds - left) / seconds),
                      "changes_recorded": changes, "bodies_to_park": for_strangers,
                      **{f"images_{name}": count for name, count in verdicts.items()}}
    return watch.outcome()


def cut(recording: Recording, judge: Judge, count: int, luck: random.Random) -> list[str]:
    """The faults after so many power cuts at random moments of a recording."""
    disk, told, position, faults = Disk(recording.before, luck), Told(), 0, []
    for moment in sorted(luck.randint(0, len(recording.log)) for _ in range(count)):
        played = recording.log[position:moment]
        disk.play(played)
        for change in played:
            told.note(change)
        position = moment
        faults += [f"cut at {moment} of {len(recording.log)}: {fault}" for fault in judge.look(disk.survivors(), told)]
    return faults
