"""For scripts: the list narrowed as in the inbox, saved views, tags of conversations, many changed at once."""

from __future__ import annotations

import pytest

from tests.http.inbox_setup import rows
from tests.http.test_list_filters import change, talks
from tests.support.world import World


async def test_the_list_takes_the_filters_of_the_inbox(world: World) -> None:
    known = await talks(world)
    names = {conversation_id: name for name, conversation_id in known.items()}
    await change(world, "UPDATE conversation SET state = 'closed', waiting_since = NULL WHERE id = ?", known["Otto"])
    async with world.client(await world.key(world.acme)) as script:
        tag = (await script.post("/api/v1/conversation-tags", json={"name": "refund"})).json()
        put = await script.put(f"/api/v1/conversations/{known['Noor']}/tags/{tag['id']}")
        assert put.status_code == 204
        view = (await script.post("/api/v1/saved-views", json={"name": "Refunds", "filter": f"v=all&tag={tag['id']}",
                                                               "scope": "everyone"})).json()
        assert view["count"] == 1 and view["filter"] == f"v=all&tag={tag['id']}"
        for query, expected in (
                ("", ["Pia", "Otto", "Noor", "Maya"]), ("state=closed", ["Otto"]),
                ("state=open,closed&sort=oldest", ["Maya", "Noor", "Otto", "Pia"]), (f"tag={tag['id']}", ["Noor"]),
                ("waiting=1&sort=waiting", ["Maya", "Noor", "Pia"]), (f"view={view['id']}", ["Noor"]),
                (f"channel={world.acme.channel_id},other&unread=1&state=open", ["Pia", "Noor", "Maya"]),
                ("until=2001-01-01", []), ("since=0001-01-01&until=9999-12-31&state=closed", ["Otto"])):
            answer = await script.get(f"/api/v1/conversations?{query}")
            assert answer.status_code == 200, (query, answer.text)
            assert [names[one["id"]] for one in answer.json()["items"]] == expected, query
        page = (await script.get("/api/v1/conversations?sort=oldest&limit=3")).json()
        rest = (await script.get("/api/v1/conversations?sort=oldest", params={"cursor": page["next_cursor"],
                                                                              "sort": "oldest"})).json()
        assert [names[one["id"]] for one in page["items"] + rest["items"]] == ["Maya", "Noor", "Otto", "Pia"]
        told = (await script.get(f"/api/v1/conversations/{known['Noor']}")).json()
        assert told["tags"] == [tag]
        await script.patch(f"/api/v1/conversation-tags/{tag['id']}", json={"name": "money back"})
        assert (await script.get("/api/v1/conversation-tags")).json()["items"] == [tag | {"name": "money back"}]
        assert (await script.delete(f"/api/v1/conversations/{known['Noor']}/tags/{tag['id']}")).status_code == 204
        assert (await script.delete(f"/api/v1/conversation-tags/{tag['id']}")).status_code == 204
        assert (await script.get(f"/api/v1/conversations?tag={tag['id']}")).json()["items"] == []


@pytest.mark.parametrize("query", ["state=lost", "state=open,", "has=fax", "unread=yes", "since=soon", "assignee=",
                                   "sort=up", "view=x&tag=y", "tags=x"])
async def test_what_is_no_filter_is_refused(world: World, query: str) -> None:
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.get(f"/api/v1/conversations?{query}")
        assert answer.status_code == 422 and answer.json()["errors"], query


async def test_views_of_scripts(world: World) -> None:
    async with world.client(await world.key(world.acme)) as script:
        made = [(await script.post("/api/v1/saved-views", json={"name": name, "filter": "v=all", "scope": "everyone"})
                 ).json()["id"] for name in ("one", "two")]
        changed = await script.patch(f"/api/v1/saved-views/{made[1]}", json={"name": "first", "before": made[0],
                                                                             "filter": "v=mine&unread=1"})
        assert changed.status_code == 200 and changed.json()["filter"] == "v=mine&unread=1"
        listed = (await script.get("/api/v1/saved-views")).json()["items"]
        assert [one["name"] for one in listed] == ["first", "one"]
        assert (await script.delete(f"/api/v1/saved-views/{made[0]}")).status_code == 204
        for body, status in (({"name": "", "filter": "v=all"}, 422), ({"name": "x", "filter": "state=lost"}, 422),
                             ({"name": "x", "filter": "v=all", "scope": "team", "team_id": "nothing"}, 422),
                             ({"name": "x", "filter": "v=all", "scope": "personal"}, 403)):
            answer = await script.post("/api/v1/saved-views", json=body)
            assert answer.status_code == status, (body, answer.text)
    async with world.client(await world.key(world.acme, "inbox:read")) as reader:
        answer = await reader.post("/api/v1/saved-views", json={"name": "x", "filter": "v=all", "scope": "everyone"})
        assert answer.status_code == 403, "sharing needs a scope of its own"


async def test_many_changed_by_a_script_and_undone(world: World) -> None:
    known = await talks(world)
    async with world.client(await world.key(world.acme)) as script:
        answer = await script.post("/api/v1/bulk-changes", json={"act": "resolve", "filter": "v=all&unread=1"})
        made = answer.json()
        assert answer.status_code == 202 and made["state"] == "done" and made["changed"] == 4
        assert (await script.get(f"/api/v1/bulk-changes/{made['id']}")).json() == made
        undone = await script.post(f"/api/v1/bulk-changes/{made['id']}/undo")
        assert undone.status_code == 200 and undone.json()["state"] == "undone"
        assert await rows(world, world.acme, "SELECT DISTINCT state FROM conversation") == [("open",)]
        ids = list(known.values())
        for body, status in (({"act": "resolve"}, 422),
                             ({"act": "resolve", "conversation_ids": ids, "filter": ""}, 422),
                             ({"act": "tag", "to": "nothing", "conversation_ids": ids}, 422),
                             ({"act": "snooze", "until": "2001-01-01T00:00:00Z", "conversation_ids": ids}, 422),
                             ({"act": "resolve", "conversation_ids": ["nothing"]}, 409)):
            assert (await script.post("/api/v1/bulk-changes", json=body)).status_code == status, body
    async with world.client(await world.key(world.acme, "inbox:reply")) as other:
        assert (await other.get(f"/api/v1/bulk-changes/{made['id']}")).status_code == 404
        answer = await other.post("/api/v1/bulk-changes", json={"act": "assign", "conversation_ids": ids})
        assert answer.status_code == 403
