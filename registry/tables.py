"""All tables under one import, for migrations and for the test that compares the two."""

from registry.audit.models import AuditLinkRow, AuditRow
from registry.database import Base
from registry.issuers.models import EnrolmentRequestRow, EntityKeyRow, EntityRow, StatementRow
from registry.jurisdictions.models import JurisdictionRow
from registry.operators.models import OperatorRow
from registry.publishing.models import PublicationRow
from registry.status_lists.models import (
    StatusBlockRequestRow,
    StatusBlockRow,
    StatusEntryRow,
    StatusListRow,
    StatusOrderRow,
)
from talentseal.service.idempotency import idempotency_table

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
    StatusBlockRequestRow,
    EnrolmentRequestRow,
    OperatorRow,
    AuditRow,
    AuditLinkRow,
)
idempotency = idempotency_table(Base.metadata)
metadata = Base.metadata
