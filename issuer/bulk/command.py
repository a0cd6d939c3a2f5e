"""What `issuer bulk` does between its options and its answer."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from issuer.bulk.models import Job, RowFault, Terms, job_id
from issuer.bulk.rows import parse_rows, read_file
from issuer.bulk.service import Run, check, run
from issuer.issuance.models import LANGUAGES
from issuer.office import Office
from schemas.types import TYPE_IDS
from talentseal.commandline import emit, is_terminal, now
from talentseal.errors import RefusedError, UsageError
from talentseal.files import make_private_folder

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command, as they were given."""

    file: Path
    type_id: str
    territory: Sequence[str]
    languages: Sequence[str]
    out: Path | None
    workers: int


def run_bulk(
    office: Office, options: Options, *, resume: bool, dry_run: bool, as_json: bool
) -> None:
    """Check, and unless told otherwise seal, the rows of a file; tells what came of it.

    Raises RefusedError `CLAIMS_INVALID` with the faults of all rows, and what `run` raises.
    """
    _check_options(options, dry_run=dry_run)
    job, faults = _job(office, options)
    told = partial(_show_progress, len(job.rows))
    if faults or dry_run:
        known = {fault.row for fault in faults}
        checked = check(office, job, workers=options.workers, now=now(), told=told)
        faults = sorted([*faults, *(fault for fault in checked if fault.row not in known)])
    elif options.out is not None:
        make_private_folder(options.out)
        task = Run(office, job, options.out.absolute(), now, told)
        faults = run(task, resume=resume, workers=options.workers)
    if faults:
        raise _refusal(faults)
    _tell(options, job, dry_run=dry_run, as_json=as_json)


def _check_options(options: Options, *, dry_run: bool) -> None:
    if options.type_id not in TYPE_IDS:
        raise UsageError(f"no type {options.type_id[:60]!r}", hint=f"One of {', '.join(TYPE_IDS)}.")
    if not set(options.languages) <= set(LANGUAGES):
        raise UsageError("a language unknown here", hint=f"One of {', '.join(LANGUAGES)}.")
    if not 1 <= options.workers <= 4 * (os.cpu_count() or 1):
        raise UsageError("--workers is a small number of processes, such as 2")
    if options.out is None and not dry_run:
        raise UsageError("where to?", hint="Name a folder with --out, or check with --dry-run.")


def _job(office: Office, options: Options) -> tuple[Job, list[RowFault]]:
    data = read_file(options.file)
    languages = options.languages or LANGUAGES
    terms = Terms(options.type_id, options.territory, languages, office.host)
    rows, faults = parse_rows(data, suffix=options.file.suffix.lower(), type_id=options.type_id)
    return Job(job_id(data, terms), terms, rows), faults


def _refusal(faults: Sequence[RowFault]) -> RefusedError:
    shown = "".join(
        f"\n  row {fault.row}  {fault.pointer or '/'}  {fault.message}" for fault in faults[:_SHOWN]
    )
    more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    refusal = RefusedError(
        f"Rows are refused, and nothing was sealed:{shown}{more}",
        code="CLAIMS_INVALID",
        hint="Correct the fields named; --json lists all of them.",
    )
    refusal.errors = [
        {"pointer": f"/{fault.row}{fault.pointer}", "error": fault.error, "message": fault.message}
        for fault in faults
    ]
    return refusal


def _tell(options: Options, job: Job, *, dry_run: bool, as_json: bool) -> None:
    count = len(job.rows)
    document = {"job": job.id, "rows": count, "sealed": 0 if dry_run else count}
    text = f"{count} rows: all of them can be sealed."
    if not dry_run:
        document["out"] = str(options.out)
        text = f"{count} certificates  {options.type_id}  -> {options.out}"
    emit(document, as_json=as_json, text=text)


def _show_progress(total: int, done: int) -> None:
    if is_terminal():
        print(f"\r{done} of {total} rows", end="\n" if done == total else "", file=sys.stderr)
