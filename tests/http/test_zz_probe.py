import time
from tests.support.world import World
async def test_probe(world: World) -> None:
    t=time.time()
    alice = await world.session("alice")
    print("signin", time.time()-t); t=time.time()
    for i in range(20):
        r = await alice.get(f"/w/{world.acme.slug}/inbox")
    print("20 pages", time.time()-t); t=time.time()
    await world.settle(); print("settle", time.time()-t)
async def test_probe2(world: World) -> None:
    pass
async def test_probe3(world: World) -> None:
    pass
