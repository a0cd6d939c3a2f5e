"""Status lists have numbers: a form that names its list by one takes a third less room."""

import sqlalchemy as sa
from alembic import op

from talentseal.service.migrations import NUMBER

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "status_list",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=False),
        sa.Column("uri", sa.String(), nullable=False, unique=True),
    )
    op.execute(
        "INSERT INTO status_list (number, uri) SELECT row_number() OVER (ORDER BY uri), uri "
        "FROM (SELECT uri FROM status_block UNION SELECT uri FROM form) AS known"
    )
    op.drop_index("form_by_certificate", "form")
    op.rename_table("form", "form_before")
    op.create_table(
        "form", _text("certificate"), _text("form"), _number("list"), _number("idx"),
        _text("sha256"), sa.UniqueConstraint("list", "idx"),
    )  # fmt: skip
    op.execute(
        "INSERT INTO form (certificate, form, list, idx, sha256) SELECT certificate, form, number, "
        "idx, sha256 FROM form_before JOIN status_list ON status_list.uri = form_before.uri"
    )
    op.drop_table("form_before")
    op.create_index("form_by_certificate", "form", ["certificate"])


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=False)
