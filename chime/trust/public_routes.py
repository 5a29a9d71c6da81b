"""The addresses that anybody may ask for, each with its reason: the whole list. A test holds it against the routes, and
the running service looks again (`web_checks.permissions`).
"""

from __future__ import annotations

PUBLIC: dict[str, str] = {
    "/healthz": "a monitor asks whether the process answers",
    "/readyz": "a proxy asks whether it may send requests",
    "/metrics": "guarded by its own token, or by loopback alone",
    "/.well-known/security.txt": "RFC 9116: for whoever finds a hole",
    "/w/-/events": "two comments, for whoever holds the installation's key: the doctor's test of live updates",
    "/csp-report": "browsers post here without a session; nothing of it is kept",
    "/static/{build}/{path}": "the files of the dashboard, the same for everybody",
    "/manifest.webmanifest": "what makes it an app on a phone: a name and icons, the same for everybody",
    "/sw.js": "the worker that takes pushes and shows the page without a connection; the same for everybody",
    "/offline": "what that page is; nothing of anybody",
    "/setup": "says that it is set up already, to whoever still has the wizard open",
    "/setup/{step}": "as above",
    "/sign-in": "where a session begins",
    "/sign-in/second-step": "the second step, for whoever holds the cookie of the first",
    "/sign-in/passkey": "where a session begins with a passkey",
    "/sign-in/passkey/question": "what a passkey is asked; random, and nothing about anybody",
    "/sign-in/provider": "the way to the sign-in provider, where a session begins",
    "/sign-in/provider/answer": "where it sends people back to; good with a question of this browser only, once",
    "/forgot-password": "says the same for every address",
    "/reset-password/{token}": "the token is the proof, and it sets a password only",
    "/invitations/{token}": "whoever was invited has no account yet; the token is what lets them in",
    "/security": "the trust page: what holds here and what is not claimed",
    "/security/asvs": "the same, requirement by requirement",
    "/docs": "the reference of the API, the same for everybody",
    "/api/v1/openapi.json": "the same as a document",
}
