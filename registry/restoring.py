"""After a restore: nothing that happened since the copy was made is done a second time.

Blocks of status indices that were handed out after the copy are not known to it. So every list is
closed for new blocks, for good, and the next publication begins others; what the closed ones say
goes on being published. The publication that follows refuses a database that is older than the
published files (`ROLLBACK_REFUSED`): the world has seen more than it knows.

Left to others: the blocks handed out after the copy, and the orders taken after it and not yet
published, are with the issuers, who bring them again (`issuer resend`, `status_lists.held_blocks`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.jurisdictions.repository import all_jurisdictions
from registry.office import Office
from registry.operators.service import OPERATORS
from registry.publishing.service import Published, publish, publishing
from registry.status_lists.service import close_lists


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done.

    closed    jurisdiction -> URIs of the lists that were closed
    accounts  name and roles of the operators who are active in the copy: whoever was ended since
              has a token that works again
    """

    closed: Mapping[str, Sequence[str]]
    published: Sequence[Published]
    accounts: Sequence[Mapping[str, Any]]


def restored(office: Office) -> Restored:
    """Go on from a copy of the database. Closing is done even where publishing is refused.

    Raises UsageError, UnavailableError, BundleError `ROLLBACK_REFUSED`.
    """
    with publishing(office), office.transaction() as session:
        codes = [row.code for row in all_jurisdictions(session)]
        closed = {code: close_lists(office, session, code) for code in codes}
        for code in codes:
            office.note(session, "restored", code)
        accounts = OPERATORS.active(session.connection())
    published, _ = publish(office)
    return Restored(closed, published, accounts)
