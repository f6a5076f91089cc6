"""Who may change which models are served (``HandleReloadConfigRequest``), which in stock anybody may."""

import hmac
import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import unquote

from kilnworks.components.serving.errors import Code, ServingError
from kilnworks.schemas.errors import ConfigError

Who = Literal["on", "off", "loopback", "token"]
TOKEN_VARIABLE = "KILNWORKS_RELOAD_TOKEN"
"""Environment variable that holds the token."""
_TCP = re.compile(r"ipv[46]:(?P<host>.+):[0-9]+")


@dataclass(frozen=True)
class ReloadPolicy:
    """Whose reloads are carried out: anybody's (``on``), nobody's, this machine's, or who knows the token."""

    who: Who = "on"
    token: str = ""

    def check(self, peer: str, authorization: str) -> None:
        """Raise PERMISSION_DENIED, or UNAUTHENTICATED for a wrong token.

        Args:
            peer: where the call comes from, as gRPC writes it: ``ipv4:127.0.0.1:5000``, ``unix:...``.
            authorization: sent beside it; "" = nothing.
        """
        if self.who == "off":
            raise _denied("this server takes none (--reload_config=off)")
        if self.who == "loopback" and not _is_local(peer):
            raise _denied("this server takes them from its own machine alone (--reload_config=loopback)")
        if self.who == "token":
            kind, _, given = authorization.partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self.token.encode()):
                raise ServingError(Code.UNAUTHENTICATED, "A reload needs metadata 'authorization: Bearer TOKEN'")


def reload_policy(who: str, of_a_store: bool) -> ReloadPolicy:
    """The policy of ``--reload_config``; "" = off for a store, whose models come from there, else as in stock.

    Raises: ConfigError for another word, or when the token is not in the environment.
    """
    chosen = who or ("off" if of_a_store else "on")
    if chosen not in get_args(Who):
        raise ConfigError(f"--reload_config={who}", f"one of {', '.join(get_args(Who))}", "correct the value")
    token = os.environ.get(TOKEN_VARIABLE, "")
    if chosen == "token" and not token:
        raise ConfigError(
            f"--reload_config=token, and {TOKEN_VARIABLE} is not set",
            "the token in that environment variable",
            "set it, or choose loopback or off",
        )
    return ReloadPolicy(cast(Who, chosen), token if chosen == "token" else "")


def _denied(why: str) -> ServingError:
    return ServingError(Code.PERMISSION_DENIED, f"The configuration is not reloaded: {why}")


def _is_local(peer: str) -> bool:
    if peer.startswith("unix:"):
        return True
    found = _TCP.fullmatch(unquote(peer))
    try:
        address = ipaddress.ip_address(found["host"].strip("[]") if found else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
