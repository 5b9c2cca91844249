"""Who may ask a server: which names it answers to, and what other sites' pages may make a visitor's browser do.

A page on the web can point its own name at 127.0.0.1 (DNS rebinding) and then read and change what it finds there as if
it were its own. It cannot hide that name, so without a key a server answers only to names that are its own. What it
makes a browser fetch without reading the answer, as pictures and links do, browsers mark with Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
WORK_PATHS = ("/midi/", "/v1/")  # where something is composed, made or read; elsewhere are pages and their parts
ALL_ADDRESSES = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Access:
    """Who may use a server: with `key` only those who have it; pages of `origins`, beside the server's own.

    `hosts` are its names, beside those of this machine; where `ALL_ADDRESSES` is among them, so is every IP address.
    """

    key: str | None = None
    origins: Collection[str] = ()
    hosts: Collection[str] = ()

    def is_own_name(self, host: str | None) -> bool:
        """Whether a Host header names this server; programs that send none are no browsers."""
        name = _host_name(host) if host else "localhost"
        if name == "localhost" or name.endswith(".localhost") or name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(every in self.hosts for every in ALL_ADDRESSES)

    def may_ask(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether no page of another site is behind a request, as far as its browser says.

        Browsers name the origin of the page where something may change. Other sites may lead to pages, and to nothing
        that makes work.
        """
        origin = headers.get("origin")
        if method in SAFE_METHODS:
            if headers.get("sec-fetch-site") != "cross-site" or origin in self.origins:
                return True
            is_page = headers.get("sec-fetch-mode") == "navigate" and not path.startswith(WORK_PATHS)
            return is_page or _origin(headers.get("referer", "")) in self.origins
        if origin is None:
            return headers.get("sec-fetch-site") != "cross-site"
        if origin in self.origins:
            return True
        own = headers.get("host", "").lower()
        return bool(own) and _origin(origin).partition("://")[2] == own


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    name = host.strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return name.rstrip(".")


def _origin(url: str) -> str:
    """Return the origin of an address, "" where it has none or is broken."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else ""
