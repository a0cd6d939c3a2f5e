import json
import signal
import time
from pathlib import Path

from issuer_desk import Bureau, forms
from postgres import both_databases

from issuer.database import REVISION
from talentseal import cwt
from talentseal.encoding import b64url_decode
from talentseal.errors import Exit

# Seals one certificate after another, each into a file of its own, until it is done or dies.
SEALING = """
import sys
from issuer.cli import app
from talentseal.commandline import run
for number in range({count}):
    code = run(app, ["issue", "--type", "professional-title/1", "--claims", {claims!r}, "--paper",
                     "--out", f"{prefix}-{{number}}.json"])
    if code:
        sys.exit(code)
"""


def sealing(bureau: Bureau, prefix: str, count: int) -> str:
    return SEALING.format(count=count, claims=bureau.claims(), prefix=prefix)


def index_of(path: Path) -> tuple[str, int]:
    code = cwt.parse(b64url_decode(forms(json.loads(path.read_bytes()))["talentseal_cwt"]))
    listed = code.claims[cwt.STATUS]["status_list"]
    return listed["uri"], listed["idx"]


def check_books(bureau: Bureau, files: list[Path]) -> None:
    """The database is whole; what left the house is on record, each under its own index."""
    if not bureau.url:
        assert bureau.rows("PRAGMA integrity_check") == [("ok",)]
    recorded = bureau.rows("SELECT uri, idx FROM form JOIN status_block ON form.block = number")
    handed_out = [index_of(path) for path in files]
    assert len(set(recorded)) == len(recorded) <= bureau.taken()
    assert len(set(handed_out)) == len(handed_out)
    assert set(handed_out) <= set(recorded)


@both_databases
def test_two_processes_never_seal_under_the_same_index(bureau: Bureau) -> None:
    both = [bureau.process(sealing(bureau, name, 10)) for name in ("left", "right")]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [Exit.OK, Exit.OK], told
    files = list(bureau.home.glob("left-*.json")) + list(bureau.home.glob("right-*.json"))
    assert len(files) == 20
    check_books(bureau, files)
    assert bureau.rows("SELECT count(*) FROM certificate") == [(20,)]


@both_databases
def test_two_processes_may_meet_at_a_database_that_does_not_exist_yet(newcomer: Bureau) -> None:
    code = "from issuer.cli import main; main(['list'])"
    both = [newcomer.process(code) for _ in range(2)]
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [Exit.OK, Exit.OK], told
    assert newcomer.rows("SELECT version_num FROM alembic_version") == [(REVISION,)]


@both_databases
def test_a_killed_issuer_leaves_whole_books_and_no_index_twice(bureau: Bureau) -> None:
    for turn in range(3 if bureau.url else 6):
        process = bureau.process(sealing(bureau, f"turn{turn}", 1000))
        end = time.monotonic() + 60
        while not list(bureau.home.glob(f"turn{turn}-*.json")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.017 * turn)  # somewhere else in the work each time
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        check_books(bureau, list(bureau.home.glob("turn*-*.json")))
    bureau.seal("--paper", "--out", str(bureau.home / "turn-last.json"))
    check_books(bureau, list(bureau.home.glob("turn*-*.json")))
