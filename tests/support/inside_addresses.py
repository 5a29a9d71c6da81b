"""Addresses that lead inside, and the many ways to write them: what no call for somebody else may reach."""

from __future__ import annotations

from collections.abc import Iterator

PUBLIC = "93.184.215.14"
# One of each network that is not the public internet, and each way to dress 127.0.0.1 and the metadata address up.
INSIDE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.8.8.8",
    "169.254.169.254", "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1",
    "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1", "100:0:0:1::1",
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "2620:4f:8000::1", "3fff::1", "5f00::1", "4000::1",
    "fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
)
OUTSIDE = ("8.8.8.8", PUBLIC, "1.1.1.1", "100.63.255.255", "172.32.0.1", "192.169.0.1", "2606:4700::1111",
           "2a00:1450:4001:82a::200e", "64:ff9b::808:808", "::ffff:8.8.8.8")
ODD_HOSTS = (
    "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0", "0x0", "00.0.0.0",
    "127.0.0.1.", "127.0.0.01", "１２７.０.０.１", "127。0。0。1", "①②⑦.⓪.⓪.①", "127.0.0.1%00", "[::1",
    "::1", "[::1]x", "[::1%25lo]",
    "[::ffff:127.0.0.1%1]", "localhost", "LOCALHOST", "localhost.", "metadata", "intranet", "a..b", ".", "", "-", "_._",
    "a_b.-c", "exa mple.com", "example.com\\@127.0.0.1", "example.com\t", "exam\nple.com", "x" * 64 + ".com",
    ("a" * 60 + ".") * 5 + "com", "example.com:99999", "example.com:0", "example.com:", "example.com:80",
    "example.com:8443",
    "example.com:443:443", "example.com:+443", "example.com:４４３", "[127.0.0.1]", "[v1.x]", "ℓocalhost",
    "ex%61mple.com",
    "user@example.com", "user:pass@example.com", "@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1@example.com",
    "xn--a.com\ufdd0", "\u202e.com", "a.\u0660\u0661", "4294967297", "0x100000000", "1.2.3.4.5", "256.1.1.1",
)
ODD_SCHEMES = ("http", "HTTP", "ftp", "file", "gopher", "dict", "ldap", "ws", "wss", "jar:https", "data", "", "https:",
               " https", "https\t", "//", "javascript", "unix", "blob:https", "ｈttps")


def corpus() -> Iterator[str]:
    """Some 1,200 addresses of which none may lead to a connection inside."""
    for inside in INSIDE:
        literal = f"[{inside}]" if ":" in inside else inside
        for form in ("https://{}", "https://{}/", "https://{}:443/x?y#z", "HTTPS://{}/latest/meta-data/",
                     "https://user@{}/", "https://user:pass@{}/", "https://example.com@{}/", "https://{}:22/",
                     "https://{}:6379/", "http://{}/", "https:/{}", "https:///{}", "https://{}\\@example.com/",
                     "https://example.com\\@{}/", "https://{}#@example.com/", "https://{}?@example.com/"):
            yield form.format(literal)
    for host in ODD_HOSTS:
        for form in ("https://{}", "https://{}/", "https://{}/a?b=c"):
            yield form.format(host)
    for scheme in ODD_SCHEMES:
        yield f"{scheme}://example.com/"
        yield f"{scheme}://127.0.0.1/"
