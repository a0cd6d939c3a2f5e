"""Many certificates from one file: all rows checked, each sealed once, whatever is killed when."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from issuer_desk import BUREAU, TITLE, Bureau, sample
from postgres import both_databases
from registry_desk import SZ

from issuer.bulk.folder import Folder, digest_of
from issuer.bulk.models import Job, Terms
from issuer.bulk.repository import begin
from issuer.database import transaction
from issuer.office import Office
from talentseal.codetext import write_text
from talentseal.encoding import b64url_encode, dump_json
from talentseal.errors import Exit, RefusedError, UnavailableError
from talentseal.keys import signer_from_secret
from talentseal.reading import Evidence

HOLDER = signer_from_secret(77).public.jwk


def rows(count: int, *, paper: bool = False) -> list[dict[str, Any]]:
    """Samples that differ in their numbers."""
    document = sample("title-01")
    holder = {} if paper else {"holder": HOLDER}
    return [
        {"claims": document["claims"] | {"certificate_number": f"EX-BULK-{number:06}"}, **holder}
        for number in range(count)
    ]


def write(bureau: Bureau, listed: Sequence[dict[str, Any]], name: str = "rows.jsonl") -> str:
    path = bureau.home / name
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in listed), "utf-8")
    return str(path)


def options(bureau: Bureau, file: str, *more: str) -> list[str]:
    out = str(bureau.home / "sealed")
    return ["bulk", file, "--type", TITLE, "--territory", SZ, "--out", out, *more]


def room_for(bureau: Bureau, count: int) -> None:
    answer = str(bureau.home / "block.json")
    bureau.registry.ask("issuer", "block", "--issuer", BUREAU, "--block", str(count),
                        "--out", answer)  # fmt: skip
    bureau.ask("enrol", answer, "--trust", bureau.public)


def handed_out(bureau: Bureau) -> list[dict[str, Any]]:
    files = sorted((bureau.home / "sealed").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]


def check_books(bureau: Bureau, count: int) -> None:
    """Every row once, every index once, what is on record is what was handed out."""
    out = handed_out(bureau)
    assert [one["row"] for one in out] == list(range(1, count + 1))
    recorded = bureau.rows("SELECT id FROM certificate")
    assert {one["id"] for one in out} == {row[0] for row in recorded}
    assert len(recorded) == count
    places = bureau.rows("SELECT uri, idx FROM form JOIN status_block ON form.block = number")
    assert len(set(places)) == len(places) == count
    sealed = bureau.rows("SELECT count FROM audit WHERE act = 'sealed-in-bulk'")
    assert sum(row[0] for row in sealed) == count


@both_databases
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_row_becomes_a_certificate_that_verifies(bureau: Bureau, workers: str) -> None:
    room_for(bureau, 1200)
    told = bureau.ask(*options(bureau, write(bureau, rows(1100)), "--workers", workers))
    assert told["sealed"] == 1100
    check_books(bureau, 1100)
    for one in handed_out(bureau)[::250]:
        text = one["credentials"][0]["credential"]
        assert bureau.outcome(Evidence(text=text)) == ("accept", [])
    bureau.ask("revoke", handed_out(bureau)[0]["id"], "--reason", "rescinded")


def test_a_row_without_a_holder_becomes_a_code(bureau: Bureau) -> None:
    bureau.ask(*options(bureau, write(bureau, rows(3, paper=True))))
    for one in handed_out(bureau):
        assert bureau.outcome(Evidence(text=one["code"])) == ("accept", [])


def test_every_fault_is_named_by_row_and_field_and_nothing_is_sealed(bureau: Bureau) -> None:
    listed = rows(5)
    listed[1]["claims"] |= {"title_level": "archmage"}
    listed[3]["claims"] = {**listed[3]["claims"], "title_series": "06"}
    listed[4]["holder"] = {"kty": "EC"}
    code, problem = bureau.problem(*options(bureau, write(bureau, listed)))
    assert (code, problem["code"]) == (Exit.REFUSE, "CLAIMS_INVALID")
    assert [one["pointer"] for one in problem["errors"]] == [
        "/2/claims/title_level", "/4", "/5/holder",
    ]  # fmt: skip
    assert problem["errors"][1]["error"] == "GRANT_SCOPE_PROFESSION"
    assert "archmage" not in json.dumps(problem)
    assert bureau.taken() == 0
    assert bureau.rows("SELECT count(*) FROM bulk_job") == [(0,)]


def test_a_row_too_large_for_any_reader_is_refused_wherever_it_stands(bureau: Bureau) -> None:
    listed = rows(3)
    claims, sign = listed[1]["claims"], "\U00020000"  # four bytes, as rare characters have
    long = dict.fromkeys(("en", "zh-Hans", "zh-Hant", "pt"), sign * 200)
    portrait = b64encode(b"\xff\xd8\xff" + bytes(20_477)).decode()
    claims["issuing_authority"] = claims["issuing_authority"] | {"name": long}
    claims |= dict.fromkeys(("title_name", "specialty", "review_committee"), long)
    claims |= dict.fromkeys(("family_name", "given_name", "approval_number"), sign * 80)
    claims |= {"display_name": sign * 120, "employer_at_review": sign * 200}
    claims |= {"portrait": f"data:image/jpeg;base64,{portrait}"}
    claims["mapped_from"] = {"catalogue_id": sign * 60, "entry": sign * 60, "qualification": long}
    code, problem = bureau.problem(*options(bureau, write(bureau, listed)))
    assert (code, [one["pointer"] for one in problem["errors"]]) == (Exit.REFUSE, ["/2"])
    assert problem["errors"][0]["error"] == "TOO_LARGE"


def test_a_dry_run_keeps_nothing(bureau: Bureau) -> None:
    told = bureau.ask(*options(bureau, write(bureau, rows(4)), "--dry-run"))
    assert (told["rows"], told["sealed"]) == (4, 0)
    assert bureau.rows("SELECT count(*) FROM certificate") == [(0,)]
    assert not (bureau.home / "sealed").exists()


@pytest.mark.parametrize(
    ("line", "pointer"),
    [
        (b'{"claims":{},"claims":{}}', "/1"),
        (b'{"claims":[]}', "/1/claims"),
        (b'{"claims":{},"role":"admin"}', "/1/role"),
        (b'{"claims":{},"territory":"CN"}', "/1/territory"),
        (b"\xff", "/1"),
        (b'{"claims":{"a":"' + b"x" * 70_000 + b'"}}', "/1"),
        (b'{"claims":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, "/1"),
    ],
)
def test_a_line_that_is_no_row_is_refused(bureau: Bureau, line: bytes, pointer: str) -> None:
    path = bureau.home / "rows.jsonl"
    path.write_bytes(line)
    _, problem = bureau.problem(*options(bureau, str(path)))
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


def test_a_line_that_is_no_row_hides_no_fault_of_the_others(bureau: Bureau) -> None:
    listed = rows(3)
    del listed[0]["claims"]["family_name"]
    file = Path(write(bureau, listed))
    lines = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([lines[0], b"not json", *lines[1:]]))
    told = bureau.problem(*options(bureau, str(file), "--dry-run"))[1]
    pointers = [one["pointer"] for one in told["errors"]]
    assert pointers == ["/1/claims/family_name", "/2"]


def flat(claims: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in claims.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def test_a_table_is_read_as_the_same_claims(bureau: Bureau) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text)
    listed = [dict(flat(one["claims"])) | {"holder_jwk": json.dumps(HOLDER)} for one in rows(3)]
    table.writerow(listed[0])
    table.writerows(one.values() for one in listed)
    path = bureau.home / "rows.csv"
    path.write_text("\ufeff" + text.getvalue(), "utf-8")
    assert bureau.ask(*options(bureau, str(path)))["sealed"] == 3
    check_books(bureau, 3)
    path.write_text("family_name,wage\r\nFANLI,1\r\n", "utf-8")
    assert bureau.refused(*options(bureau, str(path))) == (Exit.USAGE, "REQUEST_INVALID")
    path.write_text('family_name\r\n"FANLI\r\n', "utf-8")
    assert bureau.refused(*options(bureau, str(path))) == (Exit.REFUSE, "MALFORMED")
    path.write_text(f"family_name\r\n{'X' * 140_000}\r\n", "utf-8")
    code, told = bureau.problem(*options(bureau, str(path)))
    assert (code, told["code"]) == (Exit.REFUSE, "TOO_LARGE")
    assert told["title"] == "a cell in line 2 has more than 131072 characters"


def test_a_byte_order_mark_is_passed_over_at_the_beginning_alone(bureau: Bureau) -> None:
    file = Path(write(bureau, rows(2)))
    file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    assert bureau.ask(*options(bureau, str(file), "--dry-run"))["rows"] == 2
    file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    told = bureau.problem(*options(bureau, str(file), "--dry-run"))[1]
    assert [one["pointer"] for one in told["errors"]] == ["/1"]


def test_a_column_deeper_than_any_claim_is_refused_by_its_name(bureau: Bureau) -> None:
    path = bureau.home / "rows.csv"
    for parts in (5, 500):
        path.write_text(f"id_document{'.a' * (parts - 1)}\r\n1\r\n", "utf-8")
        code, told = bureau.problem(*options(bureau, str(path)))
        assert (code, told["code"]) == (Exit.USAGE, "REQUEST_INVALID")
        assert "id_document.a.a" in told["title"]


def test_a_file_is_sealed_once(bureau: Bureau) -> None:
    file = write(bureau, rows(2))
    bureau.ask(*options(bureau, file))
    assert bureau.refused(*options(bureau, file)) == (Exit.USAGE, "REQUEST_INVALID")
    assert bureau.refused(*options(bureau, file, "--resume")) == (Exit.USAGE, "REQUEST_INVALID")
    check_books(bureau, 2)


def test_a_file_that_was_changed_is_no_job_to_resume(bureau: Bureau) -> None:
    bureau.ask(*options(bureau, write(bureau, rows(2))))
    changed = write(bureau, rows(3))
    assert bureau.refused(*options(bureau, changed, "--resume")) == (Exit.USAGE, "REQUEST_INVALID")
    check_books(bureau, 2)
    bureau.ask(*options(bureau, changed))


def test_without_room_for_all_rows_none_is_sealed(bureau: Bureau) -> None:
    refused = bureau.refused(*options(bureau, write(bureau, rows(300))))
    assert refused == (Exit.UNAVAILABLE, "STATUS_LIST_UNPUBLISHED")
    assert bureau.taken() == 0


BULK = "import sys; from issuer.cli import main; main({argv!r})"


@pytest.mark.timeout(300)
@both_databases
def test_a_killed_job_goes_on_and_no_row_is_lost_or_doubled(bureau: Bureau) -> None:
    room_for(bureau, 24_000)
    argv = options(bureau, write(bureau, rows(9300)), "--workers", "2")
    for turn in range(3):
        more = ["--resume"] if done(bureau) is not None else []
        process = bureau.process(BULK.format(argv=[*argv, *more]))
        wait_for_chunk(bureau, process, 1 + turn)
        time.sleep(0.03 * turn)  # somewhere else in the work each time
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        assert 0 < (done(bureau) or 0) < 10
    other = str(bureau.home / "elsewhere")
    elsewhere = [other if one.endswith("/sealed") else one for one in argv]
    assert bureau.refused(*elsewhere, "--resume") == (Exit.USAGE, "REQUEST_INVALID")
    bureau.ask(*argv, "--resume")
    check_books(bureau, 9300)
    left = {path.name for path in (bureau.home / "sealed").iterdir() if path.suffix != ".jsonl"}
    known = {row[0][:16] for row in bureau.rows("SELECT sha256 FROM bulk_chunk")}
    assert not {name.split(".")[1] for name in left} & known  # what is left was never put on record
    assert not any(name.startswith(".") for name in left)


def done(bureau: Bureau) -> int | None:
    found = bureau.rows("SELECT done FROM bulk_job")
    return int(found[0][0]) if found else None


def wait_for_chunk(bureau: Bureau, process: Any, chunk: int) -> None:
    deadline = time.monotonic() + 90
    while (done(bureau) or 0) < chunk:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_of_two_who_begin_a_job_at_once_the_second_is_told(bureau: Bureau) -> None:
    terms = Terms(TITLE, (SZ,), ("en",), "verify.example")
    office, job = Office.here(), Job("0" * 64, terms, [b"{}"])
    with transaction(office.engine) as db:
        begin(db, job, at=0)
    with pytest.raises(RefusedError, match="another"), transaction(office.engine) as db:
        begin(db, job, at=0)
    assert bureau.rows("SELECT count(*) FROM bulk_job") == [(1,)]


def line(row: int, sealed: bytes) -> bytes:
    given = {"format": "dc+sd-jwt", "credential": sealed.decode()}
    return dump_json({"row": row, "id": f"N{row}", "credentials": [given]}) + b"\n"


def kept(folder: Folder, digest: str, *lines: bytes) -> None:
    with folder.keep(0) as file:
        file.write(b"".join(lines))
        file.put(folder.part(0, digest))


def test_a_chunk_is_moved_only_if_it_is_what_was_put_on_record(tmp_path: Path) -> None:
    folder, lines = Folder(tmp_path, "0" * 64, "v.example"), [line(1, b"one~"), line(2, b"two~")]
    one, two = (sha256(sealed).hexdigest() for sealed in (b"one~", b"two~"))
    digest = digest_of([(1, "N1", one), (2, "N2", two)])
    changed, cut = line(2, b"too~"), lines[1][:-3]
    more = lines[1].replace(b'"row"', b'"host":"evil.example","row"')
    wrong: Sequence[list[bytes]] = (
        [],
        lines[:1],
        lines[::-1],
        [lines[0], changed],
        [lines[0], cut],
        [lines[0], more],
        [b"1"],
    )
    for other in wrong:
        kept(folder, digest, *other)
        with pytest.raises(UnavailableError, match="not what was put on record"):
            folder.finish(0, digest)
    kept(folder, digest, *lines)
    assert folder.finish(0, digest)
    (placed,) = tmp_path.iterdir()
    assert placed.read_bytes() == b"".join(lines)


def test_a_code_that_leads_elsewhere_is_not_what_was_put_on_record(tmp_path: Path) -> None:
    folder, code = Folder(tmp_path, "0" * 64, "v.example"), b"\xd2code"
    digest = digest_of([(1, "N1", sha256(code).hexdigest())])
    given = {"format": "talentseal_cwt", "credential": b64url_encode(code)}
    for host in ("evil.example", "v.example"):
        told = {"credentials": [given], "code": write_text(code, host=host)}
        kept(folder, digest, dump_json({"row": 1, "id": "N1", **told}) + b"\n")
        if host == "evil.example":
            with pytest.raises(UnavailableError, match="not what was put on record"):
                folder.finish(0, digest)
    assert folder.finish(0, digest)


def test_the_last_rows_are_not_forgotten_in_another_folder(bureau: Bureau) -> None:
    argv = options(bureau, write(bureau, rows(2)))
    bureau.ask(*argv)
    (placed,) = (bureau.home / "sealed").iterdir()
    ((digest,),) = bureau.rows("SELECT sha256 FROM bulk_chunk")
    part = placed.rename(placed.with_suffix(f".{digest[:16]}.part"))  # killed before it was moved
    elsewhere = [str(bureau.home / "other") if one.endswith("/sealed") else one for one in argv]
    for more in ([], ["--resume"]):
        ran = bureau.run(*elsewhere, *more)
        assert ran.code == Exit.USAGE
        assert ".part" in ran.err
    assert part.exists()
    assert bureau.run(*argv).code == Exit.USAGE
    assert placed.exists()


def test_what_killed_runs_left_beside_its_place_is_removed_at_the_end(bureau: Bureau) -> None:
    """Certificates that are not on record: nobody could revoke them."""
    argv = options(bureau, write(bureau, rows(2)))
    bureau.ask(*argv)
    folder = bureau.home / "sealed"
    (placed,) = folder.iterdir()
    for name in (f"{placed.stem}.0123456789abcdef.part", f"{placed.stem[:-1]}9.0.part", "my.part"):
        (folder / name).write_bytes(placed.read_bytes())
    assert bureau.run(*argv, "--resume").code == Exit.USAGE  # every row is sealed
    left = {path.name for path in folder.iterdir()}
    assert left == {placed.name, f"{placed.stem[:-1]}9.0.part", "my.part"}


def test_rows_that_a_lost_database_has_sealed_are_not_written_over(bureau: Bureau) -> None:
    argv = options(bureau, write(bureau, rows(2)))
    bureau.ask(*argv)
    (placed,) = (bureau.home / "sealed").iterdir()
    before = placed.read_bytes()
    bureau.change("DELETE FROM bulk_job")  # as an older copy of the database
    bureau.change("DELETE FROM bulk_chunk")
    for more in ([], ["--resume"]):
        assert bureau.refused(*argv, *more) == (Exit.REFUSE, "STATE_CONFLICT")
    assert placed.read_bytes() == before
    other = [str(bureau.home / "other") if one.endswith("/sealed") else one for one in argv]
    assert bureau.ask(*other)["sealed"] == 2


# Whoever runs the tests in the background may have them ignore the signal.
INTERRUPTED = (
    "import os, signal; os.setpgid(0, 0); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
) + BULK


def test_whoever_breaks_off_at_a_terminal_sees_one_sentence(bureau: Bureau) -> None:
    """There all processes get the signal."""
    room_for(bureau, 20_000)
    argv = options(bureau, write(bureau, rows(9000)), "--workers", "2")
    process = bureau.process(INTERRUPTED.format(argv=argv))
    wait_for_chunk(bureau, process, 1)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (Exit.UNAVAILABLE, "Stopped.")
    bureau.ask(*argv, "--resume")
    check_books(bureau, 9000)


SILENT = """
import time
from datetime import UTC, datetime
from pathlib import Path
from issuer.bulk.models import Job, Terms
from issuer.bulk.workers import working

class Silent:
    def faults(self, row, number, *, now):
        Path(f"asked-{{number}}").touch()
        time.sleep(600)

job = Job("0" * 32, Terms("some/1", (), (), "v.example"), [b"{{}}"] * 2000)
with working(Silent(), job, None, {workers}) as work:
    found = work.check(now=datetime.now(UTC))
    next(found)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_breaks_off_waits_for_no_worker_that_hangs(tmp_path: Path, workers: int) -> None:
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program = [sys.executable, "-c", heeded + SILENT.format(workers=workers)]
    with subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < workers:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT


def test_a_worker_that_is_killed_ends_the_run_with_a_sentence(bureau: Bureau) -> None:
    room_for(bureau, 20_000)
    argv = options(bureau, write(bureau, rows(9000)), "--workers", "2")
    process = bureau.process(BULK.format(argv=argv))
    wait_for_chunk(bureau, process, 1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    os.kill(int(children[0]), signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == Exit.UNAVAILABLE
    assert "a worker process has ended" in told
    bureau.ask(*argv, "--resume")
    check_books(bureau, 9000)


def test_a_chunk_on_record_by_an_older_version_goes_by_the_digest_of_its_file(
    tmp_path: Path,
) -> None:
    folder, text = Folder(tmp_path, "0" * 64, "v.example"), line(1, b"one~")
    digest = sha256(text).hexdigest()
    kept(folder, digest, text)
    assert folder.finish(0, digest)
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]


def test_a_chunk_that_another_process_has_moved_is_in_its_place(tmp_path: Path) -> None:
    folder, text = Folder(tmp_path, "0" * 64, "v.example"), line(1, b"one~")
    digest = digest_of([(1, "N1", sha256(b"one~").hexdigest())])
    kept(folder, digest, text)
    folder.finish(0, digest)  # whoever resumes found it on record
    folder.put(0, digest)
    (placed,) = tmp_path.iterdir()
    assert placed.read_bytes() == text
    placed.unlink()
    with pytest.raises(UnavailableError, match="No such file"):
        folder.put(0, digest)
