import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from parts import need

from talentseal.errors import Exit, UnavailableError
from talentseal.files import (
    check_private_folder,
    growing,
    make_private_folder,
    read_bounded,
    read_private,
    sync,
    write_atomic,
    write_new,
    write_private,
)


def refusal(error: pytest.ExceptionInfo[UnavailableError]) -> str:
    assert error.value.exit == Exit.UNAVAILABLE
    return error.value.code


def test_what_need_not_be_on_the_disk_yet_is_whole_and_is_brought_there(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    for content in (b"old", b"new"):
        with growing(tmp_path, ".a file.") as file:
            file.write(content[:2])
            file.write(content[2:])
            file.put(path)
    with growing(tmp_path, ".a file.") as file:
        file.write(b"never whole")
    sync(path)
    assert read_bounded(path, 3) == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["a file"]
    path.unlink()
    with pytest.raises(UnavailableError) as error:
        sync(path)
    assert refusal(error) == "DEPENDENCY_UNAVAILABLE"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert read_bounded(path, 3) == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a file"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_a_file_has_the_mode_asked_for_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "f", b"", mode=mode)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def test_a_file_larger_than_the_cap_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, bytes(10))
    assert len(read_bounded(path, 10)) == 10
    with pytest.raises(UnavailableError) as caught:
        read_bounded(path, 9)
    assert refusal(caught) == "TOO_LARGE"


def test_only_regular_files_are_read_and_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write_atomic(tmp_path / "file", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    things = ["pipe", "link", ".", "absent", "/dev/zero", "file/below", "a\0b", "n" * 300]
    for thing in things:
        with pytest.raises(UnavailableError) as caught:
            read_bounded(tmp_path / thing, 10)
        assert refusal(caught) == "INPUT_UNREADABLE", thing


def test_writing_over_a_link_replaces_the_link_and_leaves_its_target(tmp_path: Path) -> None:
    write_atomic(tmp_path / "target", b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_atomic(tmp_path / "link", b"new")
    assert read_bounded(tmp_path / "target", 10) == b"precious"
    assert read_bounded(tmp_path / "link", 10) == b"new"


def test_a_new_file_never_replaces_another(tmp_path: Path) -> None:
    write_new(tmp_path / "f", b"first")
    with pytest.raises(UnavailableError, match="exists already"):
        write_new(tmp_path / "f", b"second")
    assert read_bounded(tmp_path / "f", 10) == b"first"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610, 0o677])
def test_a_private_file_open_to_others_is_refused_with_the_remedy(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "secret"
    write_atomic(path, b"x")
    assert read_private(path, 10) == b"x"
    path.chmod(mode)
    with pytest.raises(UnavailableError) as caught:
        read_private(path, 10)
    assert f"{mode:03o}" in caught.value.message
    assert f"chmod 600 {path}" in caught.value.hint
    assert read_bounded(path, 10) == b"x"


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777, 0o701])
def test_a_private_folder_open_to_others_is_refused_with_the_remedy(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "vault"
    make_private_folder(folder)
    write_private(folder / "f", b"old")
    folder.chmod(mode)
    with pytest.raises(UnavailableError) as caught:
        write_private(folder / "f", b"new")
    assert f"chmod 700 {folder}" in caught.value.hint
    folder.chmod(0o700)
    assert read_private(folder / "f", 10) == b"old"


def test_a_private_folder_is_made_with_its_parents_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    make_private_folder(folder)
    make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_link_or_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_atomic(tmp_path / "file", b"")
    for thing in ("link", "file"):
        with pytest.raises(UnavailableError, match="is not a folder"):
            make_private_folder(tmp_path / thing)
    with pytest.raises(UnavailableError, match="does not exist"):
        check_private_folder(tmp_path / "absent")


def test_what_belongs_to_another_user_is_refused(tmp_path: Path) -> None:
    need("the right to give files away", present=os.geteuid() == 0, remedy="run as root")
    write_atomic(tmp_path / "f", b"x")
    os.chown(tmp_path / "f", 12345, 12345)
    with pytest.raises(UnavailableError, match="belongs to another user"):
        read_private(tmp_path / "f", 10)
    (tmp_path / "d").mkdir(mode=0o700)
    os.chown(tmp_path / "d", 12345, 12345)
    with pytest.raises(UnavailableError, match="belongs to another user"):
        make_private_folder(tmp_path / "d")


FULL = """
import resource, signal, sys
from pathlib import Path
from talentseal.errors import UnavailableError
from talentseal.files import growing, write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
def whole():
    write_atomic(path, bytes(2000))
def bit_by_bit():
    with growing(path.parent, ".f.") as file:
        file.write(bytes(2000))
        file.put(path)
for write in (whole, bit_by_bit):
    try:
        write()
    except UnavailableError as error:
        print(error.code)
"""


def test_a_full_disk_leaves_the_old_content_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "STORAGE_FULL\nSTORAGE_FULL\n"
    assert read_bounded(path, 10) == b"old"
    assert len(list(tmp_path.iterdir())) == 1


WRITER = """
import sys
from pathlib import Path
from talentseal.files import write_atomic
print("ready", flush=True)
for count in range(10**6):
    write_atomic(Path(sys.argv[1]), str(count % 10).encode() * 100_000)
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_killed_writer_leaves_the_old_content_or_the_new(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"0" * 100_000)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(timeout=0.05 + 0.013 * attempt)
        writer.kill()
    content = read_bounded(path, 200_000)
    assert len(content) == 100_000
    assert len(set(content)) == 1


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    def open_descriptors() -> list[str]:
        links = map(os.path.realpath, Path("/proc/self/fd").iterdir())
        return [link for link in links if link.startswith(str(tmp_path))]

    for _ in range(20):
        write_atomic(tmp_path / "f", b"x" * 20)
        assert len(read_bounded(tmp_path / "f", 20)) == 20
        with pytest.raises(UnavailableError):
            read_bounded(tmp_path / "f", 10)
        with pytest.raises(UnavailableError):
            read_bounded(tmp_path, 10)
    assert open_descriptors() == []
