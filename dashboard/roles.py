"""What an account may do and see, by its role and the campaigns it is limited to. Pure; knows no request."""

from __future__ import annotations

from typing import NamedTuple

ADMIN, REVIEWER, VIEWER = "admin", "reviewer", "viewer"
ROLES = {
    ADMIN: "sees and does everything, accounts among it",
    REVIEWER: "sees numbers masked, shows one when it is needed (which is written down), exports, shares walls",
    VIEWER: "sees numbers masked",
}
"""Every role, and what it is for, in words."""


class Rights(NamedTuple):
    """A role, and the campaigns whose calls there are for it; none means all."""

    role: str
    campaigns: tuple[str, ...] = ()

    @property
    def sees_numbers(self) -> bool:
        return self.role == ADMIN

    @property
    def may_reveal(self) -> bool:
        """Whether it may have a masked number shown; each time is written down."""
        return self.role in (ADMIN, REVIEWER)

    @property
    def may_export(self) -> bool:
        return self.role in (ADMIN, REVIEWER)

    @property
    def may_share(self) -> bool:
        """Whether it may make a link that opens a wall, within its campaigns, without signing in."""
        return self.role in (ADMIN, REVIEWER)

    @property
    def may_manage(self) -> bool:
        """Accounts, tokens, the inbox's raw reports, what is erased: what reaches beyond single calls."""
        return self.role == ADMIN


EVERYTHING = Rights(ADMIN)
"""Of whoever sits at this machine, on a board that has no account."""
