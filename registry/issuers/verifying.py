"""Certificates for verifiers, so that a wallet can show who asks.

A verifier shows that it holds a key and that its host lies in the name spaces of the jurisdiction;
it gets a certificate of the same authority as issuers do, and its host becomes one that the
jurisdiction stands by. The host of a body on the books is certified for that body alone, on the
word of the operator: the key of the request proves nothing of the sort. A verifier gets no right to
seal anything: rights come from grants alone.
"""

from sqlalchemy.orm import Session

from registry.issuers.alike import check_host_free
from registry.issuers.certificates import certify
from registry.issuers.service import check_body, parse_request
from registry.jurisdictions.models import JurisdictionRow
from registry.office import Office
from schemas.registry import VerifierEnrolment
from talentseal.x509 import host_of


def enrol_verifier(
    office: Office,
    session: Session,
    jurisdiction: JurisdictionRow,
    text: str,
    *,
    same_body: bool = False,
) -> VerifierEnrolment:
    """Answer a verifier's signed request. Asking again makes another certificate.

    same_body  the operator knows that the body which has the host in its entity id asks itself

    Raises InputError, RefusedError `ISSUER_OUTSIDE_NAMESPACE`, or `STATE_CONFLICT` for the host of
    a body on the books, UsageError.
    """
    request, public = parse_request(text, now=office.now)
    check_body(jurisdiction, request)
    host = host_of(request.iss)
    if not same_body:
        check_host_free(session, jurisdiction.code, host)
    certified = certify(
        office, jurisdiction, public, entity_id=request.iss, name=request.names["en"]
    )
    if host not in jurisdiction.verifier_hosts:
        jurisdiction.verifier_hosts = [*jurisdiction.verifier_hosts, host]
    office.note(session, "verifier", request.iss)
    return VerifierEnrolment(host=host, jurisdiction=jurisdiction.code, x5c=certified.x5c)
