"""All tables under one import, for migrations and for the test that compares the two."""

from registry.database import Base
from registry.issuers.models import EntityKeyRow, EntityRow, StatementRow
from registry.jurisdictions.models import JurisdictionRow
from registry.publishing.models import PublicationRow
from registry.status_lists.models import (
    StatusBlockRow,
    StatusEntryRow,
    StatusListRow,
    StatusOrderRow,
)

TABLES = (
    JurisdictionRow,
    EntityRow,
    EntityKeyRow,
    StatementRow,
    StatusListRow,
    StatusBlockRow,
    StatusEntryRow,
    StatusOrderRow,
    PublicationRow,
)
metadata = Base.metadata
