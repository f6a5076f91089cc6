"""Under which names a server answers: a page of the web must not reach it by a name of its own (DNS rebinding).

A browser sends the name that stands in the address bar, so a page whose name was made to lead to this machine is told
apart by its ``Host``. An address written in digits cannot be made to lead anywhere else and is always right.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]{0,5})?", re.ASCII)
_SCHEME = re.compile(r"https?://", re.ASCII | re.IGNORECASE)
ANY = "*"


@dataclass(frozen=True)
class AllowedHosts:
    """Names that requests may give.

    Attributes:
        names: in small letters; ``*.example.org`` stands for every name below it, ``*`` for all.
    """

    names: Sequence[str] = (ANY,)

    def refusal(self, method: str, target: str, host: str | None, http_1_0: bool) -> int:
        """HTTP status for a request that is not for this server: 400 malformed, 421 another's; 0 when it is.

        Args:
            method: as sent.
            target: as sent; the host counts that is written here.
            host: else that of ``Host``; None = there is none, and HTTP/1.1 requires it (RFC 9112, 3.2).
            http_1_0: whether it may be missing.
        """
        authority, path = split_target(target)
        whole_server = path == "*" and method == "OPTIONS"
        if (host is None and not http_1_0) or not (path.startswith("/") or whole_server):
            return 400
        return self.refusal_of((host or "") if authority is None else authority)

    def refusal_of(self, authority: str) -> int:
        """The same for a host as a request names it, e.g. ``localhost:8501``."""
        found = _AUTHORITY.fullmatch(authority)
        if found is None:
            return 400
        name = found[1].lower().removesuffix(".")
        allowed = not name or _is_local(name) or any(_fits(name, one) for one in self.names)
        return 0 if allowed else 421


def default_hosts(address: str) -> AllowedHosts:
    """The names of a server that listens at ``address``: only local ones when no other machine reaches it."""
    ip = _ip(address)
    return AllowedHosts(() if address == "localhost" or (ip is not None and ip.is_loopback) else (ANY,))


def _fits(name: str, allowed: str) -> bool:
    return allowed in (ANY, name) or (allowed.startswith("*.") and name.endswith(allowed[1:]))


def _is_local(name: str) -> bool:
    """Whether no name server decides where a name leads to."""
    return name == "localhost" or name.endswith(".localhost") or _ip(name) is not None


def _ip(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def split_target(target: str) -> tuple[str | None, str]:
    """A request target as authority and path with query (RFC 9112, 3.2); the authority is None in origin form."""
    scheme = _SCHEME.match(target)
    if scheme is None:
        return None, target
    rest = target[scheme.end() :]
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    path = rest[end:]
    return rest[:end], path if path.startswith("/") else "/" + path
