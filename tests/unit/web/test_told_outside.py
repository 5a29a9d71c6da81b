"""What the installation tells the world about itself, worked out from its configuration: security.txt, the hosts it
calls, and what the doctor says about mail, proxy and contact."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chime.clock import DAY, Clock, rfc3339
from chime.config import Config, load
from chime.doctor.installation import proxies, security_contact
from chime.errors import StartRefused
from chime.web.health import security_text
from chime.web.outside import PUSH_SERVICES, hosts


def _config(**options: str) -> Config:
    return load(environment={f"CHIME_{name.upper()}": value for name, value in options.items()})


def _fields(text: str) -> list[tuple[str, str]]:
    assert text.endswith("\n") and "\r" not in text
    return [(name, value) for name, _, value in (line.partition(": ") for line in text.splitlines())]


def test_security_txt_is_what_rfc_9116_wants() -> None:
    now = Clock().real_now()
    config = _config(security_contact="security@example.com", public_url="https://chime.example")
    told = _fields(security_text(config, now))
    assert [name for name, _ in told] == ["Contact", "Expires", "Preferred-Languages", "Canonical", "Policy"]
    values = dict(told)
    assert values["Contact"] == "mailto:security@example.com", "a URI, always"
    assert values["Canonical"] == "https://chime.example/.well-known/security.txt"
    left = datetime.fromisoformat(values["Expires"]) - datetime.fromisoformat(rfc3339(now))
    assert timedelta(days=30) < left < timedelta(days=365), "less than a year, and longer than the doctor's warning"
    assert values["Expires"] == rfc3339(now + 360 * DAY)


def test_a_contact_may_be_mail_web_or_telephone() -> None:
    for contact in ("https://example.com/report", "mailto:a@b.example", "tel:+1-201-555-0123"):
        assert dict(_fields(security_text(_config(security_contact=contact), 0)))["Contact"] == contact
    assert security_text(_config(), 0) == ""
    for wrong in ("nobody", "http://example.com", "a@b.example\r\nPolicy: https://evil.example", "javascript:x",
                  "ä@b.example", "a b@c.example"):
        with pytest.raises(StartRefused, match="CHIME_SECURITY_CONTACT"):
            _config(security_contact=wrong)


def test_hosts_are_those_of_the_configuration_and_no_other() -> None:
    usual = hosts(_config())
    assert [(host.host, host.port) for host in usual] == [
        ("graph.facebook.com", 443), ("*.fbsbx.com", 443), ("*.fbcdn.net", 443),
        *((host, 443) for host in PUSH_SERVICES)]
    full = hosts(_config(graph_url="http://127.0.0.1:8701/simulator/graph", smtp_url="smtps://me:secret@mail.example",
                         egress_allow="oidc.lan:8443"))
    assert [(host.host, host.port) for host in full] == [("127.0.0.1", 8701), ("mail.example", 465),
                                                       *((host, 443) for host in PUSH_SERVICES),
                                                       ("oidc.lan", 8443)]
    assert all(host.purpose for host in full) and "secret" not in repr(full)


def test_the_doctor_sees_a_proxy_that_is_not_believed() -> None:
    wrong = proxies(_config(public_url="https://chime.example"))
    assert not wrong.ok and "CHIME_TRUSTED_PROXIES" in wrong.what_to_do
    right = proxies(_config(public_url="https://chime.example", trusted_proxies="127.0.0.1/32"))
    assert right.ok and "127.0.0.1/32" in right.detail
    assert proxies(_config()).ok


def test_the_doctor_asks_for_a_contact() -> None:
    assert "CHIME_SECURITY_CONTACT" in security_contact(_config()).what_to_do
    named = security_contact(_config(security_contact="a@b.example", public_url="https://chime.example"))
    assert named.ok and not named.what_to_do and "https://chime.example/.well-known/security.txt" in named.detail
