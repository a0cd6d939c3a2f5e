"""What issuers and the registry hand each other, by file or over HTTP: enrolment, status orders.

An issuer asks to be listed with a request that its new key signs; the registry answers with the
certificate chain of that key and a block of status indices. Later the issuer orders changes of
status, each order signed and numbered, so that the registry can apply it once and prove who asked.
None of these documents says anything about a person.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ENROLMENT_REQUEST_TYP = "enrolment-request+jwt"
STATUS_ORDER_TYP = "status-order+jwt"
STATUS_BLOCK_REQUEST_TYP = "status-block-request+jwt"
HELD_BLOCK_TYP = "held-status-block+jwt"
HELD_BLOCK_ENDING = ".block.jws"  # of such a document among the orders of an exchange folder
MAX_BLOCK = 65_536
# A restored issuer numbers its orders from the time on; nobody needs numbers beyond that.
ORDERS_A_SECOND, MAX_ORDERS_AHEAD = 1000, 1_000_000

Index = Annotated[int, Field(ge=0, lt=2**20)]  # lists have no more entries
# Visible ASCII: what every database can hold, and a log can show.
Jti = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
RESTORE_CODE = r"^[0-9a-z]{1,32}$"
RestoreCode = Annotated[str, StringConstraints(pattern=RESTORE_CODE)]
Uri = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,2048}$")]


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnrolmentRequest(_Document):
    """Payload of a JWS of type `enrolment-request+jwt`, signed by the key it carries."""

    iss: str = Field(max_length=512, description="entity id: https URL, later `iss`")
    iat: int = Field(ge=0, description="NumericDate of the request")
    jwk: dict[str, str] = Field(description="the public key to be listed")
    names: dict[str, str] = Field(description="name of the body by language tag")


class StatusBlock(_Document):
    """Indices of one list set aside for one issuer, in the order in which to use them.

    An issuer whose database was restored takes in no block that may have been made before that. One
    that comes in a file shows it by the code that `issuer restored` told: nobody could know it
    before, whatever the clocks said.
    """

    block: str = Field(max_length=64, description="identifier of the block")
    uri: str = Field(max_length=2048, description="URI of the status list")
    indices: list[Index] = Field(max_length=MAX_BLOCK)
    made_at: int | None = Field(default=None, ge=0, description="NumericDate")
    restored: RestoreCode | None = Field(
        default=None,
        exclude_if=lambda code: code is None,
        description="code of the issuer's last restore; left out where none was named",
    )


class StatusBlockRequest(_Document):
    """Payload of a JWS of type `status-block-request+jwt`, signed by a listed key of the issuer.

    The answer is a `StatusBlock`; the same `jti` again gets the same block.
    """

    iss: str = Field(max_length=512)
    iat: int = Field(ge=0, description="NumericDate of the request, at most a day old")
    jti: Jti = Field(min_length=16, description="new for every block")
    count: int = Field(ge=1, le=MAX_BLOCK, description="how many indices are asked for")


class HeldBlock(_Document):
    """Payload of a JWS of type `held-status-block+jwt`, signed by a listed key of the issuer.

    It shows a registry that was restored a block which it may have forgotten. The identifier is the
    proof: only the registry can make it, for this issuer, these indices and no part of them. The
    same block again does no harm.
    """

    iss: str = Field(max_length=512)
    iat: int = Field(ge=0, description="NumericDate")
    jti: Jti = Field(min_length=16, description="new for every document")
    block: Jti = Field(description="identifier of the block")
    uri: Uri = Field(description="URI of the status list")
    first: Index = Field(description="the index that is used first")
    count: int = Field(ge=1, le=MAX_BLOCK, description="how many indices the block has")


class BlockHeld(_Document):
    """The registry's answer to a block that is on record. `known`: it was before."""

    state: Literal["taken back", "known"]
    block: str = Field(max_length=64)


class Enrolment(_Document):
    """The registry's answer: everything an issuer needs besides the public trust data."""

    entity_id: str
    jurisdiction: str = Field(description="code of the jurisdiction, for example CN/4403")
    root_s256: str = Field(description="SHA-256 (hex) of the jurisdiction's first root.json")
    x5c: dict[str, list[str]] = Field(description="kid -> chain, leaf first, anchor left out")
    blocks: list[StatusBlock]


class EnrolmentState(_Document):
    """What became of an enrolment request; the same request posted again asks for it."""

    id: str = Field(max_length=64)
    state: Literal["waiting", "accepted", "refused"]
    answer: Enrolment | None = Field(description="where the request was accepted")


class StatusChange(_Document):
    uri: Uri
    idx: int = Field(ge=0)
    value: int = Field(ge=0, le=2, description="0 valid, 1 invalid, 2 suspended")


class StatusOrder(_Document):
    """Payload of a JWS of type `status-order+jwt`, signed by a listed key of the issuer."""

    iss: str
    jti: Jti
    iat: int = Field(ge=0)
    seq: int = Field(ge=1, description="rises with every order of this issuer")
    changes: list[StatusChange] = Field(min_length=1, max_length=10_000)


class OrderTaken(_Document):
    """The registry's answer to an order that it has. `known`: it had it already."""

    state: Literal["applied", "known"]
    seq: int = Field(ge=1)
    outdated: int = Field(
        default=0, ge=0, description="How many of its changes a later order has overtaken."
    )


class VerifierEnrolment(_Document):
    """The registry's answer to a verifier: a certificate for its host, and nothing else."""

    host: str = Field(max_length=253)
    jurisdiction: str
    x5c: list[str] = Field(min_length=1, max_length=4, description="leaf first, anchor left out")
