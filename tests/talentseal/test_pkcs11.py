import ctypes.util
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
from softhsm import PIN, Token, make_token

from talentseal.errors import InputError, TalentsealError, UnavailableError, UsageError
from talentseal.keystore import open_signer
from talentseal.pkcs11 import (
    DeviceSettings,
    DeviceSigner,
    in_reach,
    make_device_key,
    open_device_signer,
)
from talentseal.pkcs11_uri import DeviceKey, parse_uri


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    return make_token(tmp_path / "hsm", monkeypatch)


@pytest.fixture
def signer(token: Token) -> DeviceSigner:
    return make_device_key(token.uri(), token.settings)[0]


def sentence(caught: pytest.ExceptionInfo[TalentsealError]) -> str:
    """What a person reads; a PIN is never part of it."""
    told = f"{caught.value.message} {caught.value.hint}"
    assert PIN not in told
    return told


# --- URIs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("pkcs11:token=t;object=sealing", DeviceKey("t", "sealing")),
        ("pkcs11:id=%00%ff;token=t", DeviceKey("t", id=b"\x00\xff")),
        ("pkcs11:token=a%20b;object=%E5%8D%B0%3B", DeviceKey("a b", "印;")),
        ("pkcs11:token=t;object=o&p?pin-source=file:/run/pin",
         DeviceKey("t", "o&p", pin_file="/run/pin")),
        ("pkcs11:token=t;object=o?module-path=/usr/lib/m.so&pin-source=file:///run/p%20n",
         DeviceKey("t", "o", module="/usr/lib/m.so", pin_file="/run/p n")),
    ],
)  # fmt: skip
def test_a_uri_says_where_a_key_lives_and_is_written_back(uri: str, key: DeviceKey) -> None:
    assert parse_uri(uri) == key
    assert parse_uri(str(key)) == key


@pytest.mark.parametrize(
    "uri",
    [
        "", "pkcs11:", "pkcs11", "PKCS11:token=t;object=o", "pkcs12:token=t;object=o",
        "pkcs11:token=t", "pkcs11:object=o", "pkcs11:token=;object=o", "pkcs11:token=t;object=",
        "pkcs11:token=t;object=o;", "pkcs11:;token=t;object=o", "pkcs11:token=t;token=t;object=o",
        "pkcs11:token=t;object=o;serial=1", "pkcs11:token=t;object=o;type=private",
        "pkcs11:token=t;object=o;pin-source=file:/p", "pkcs11:token=t;object=o?object=p",
        "pkcs11:token=t;object=o?", "pkcs11:token=t;object=o?module-path=m.so",
        "pkcs11:token=t;object=o?pin-source=/p", "pkcs11:token=t;object=o?pin-source=file:p",
        "pkcs11:token=t;object=o?pin-source=file://host/p",
        "pkcs11:token=t;object=%zz", "pkcs11:token=t;object=%4", "pkcs11:token=t;object=a b",
        "pkcs11:token=t;object=印", "pkcs11:token=t;object=%ff", "pkcs11:token=t;object=%0a",
        "pkcs11:token=t;object=%E2%80%AE", "pkcs11:token=t;object=a/b",
        "pkcs11:token=" + "t" * 33 + ";object=o", "pkcs11:token=t;object=" + "o" * 65,
        "pkcs11:token=t;id=" + "%01" * 65, "pkcs11:token=t;object=o?module-path=/" + "m" * 1024,
    ],
)  # fmt: skip
def test_a_uri_with_anything_else_in_it_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        parse_uri(uri)


@pytest.mark.parametrize(
    "query",
    [f"pin-value={PIN}", f"pin-source=%7Cecho%20{PIN}", f"pin-source=|echo%20{PIN}",
     f"pin-source=file:/p&pin-value={PIN}"],
)  # fmt: skip
def test_no_secret_stands_in_a_uri_and_none_is_repeated(query: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_uri(f"pkcs11:token=t;object=o?{query}")
    assert "PIN" in sentence(caught)


# --- making and signing ---------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_key_made_in_the_device_signs_there_and_never_leaves(token: Token, alg: str) -> None:
    made, uri = make_device_key(token.uri(), token.settings, alg=alg)
    opened = open_signer(uri, passphrase=lambda: b"", device=token.settings)
    assert opened.public == made.public
    assert made.public.alg == alg
    for one in (made, opened):
        assert made.public.verify(one.sign(b"message"), b"message")
    assert export(token, uri) == ["AttributeSensitive", "False", "True", "True"]


def export(token: Token, uri: str) -> list[str]:
    """What the token says when it is asked, in another process, for the private key itself."""
    code = """
import sys, pkcs11
from pkcs11 import Attribute
module, label, pin, key_id = sys.argv[1:]
session = pkcs11.lib(module).get_token(token_label=label).open(user_pin=pin)
key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key_id))
try:
    key[Attribute.VALUE]
except pkcs11.PKCS11Error as error:
    print(type(error).__name__)
for name in (Attribute.EXTRACTABLE, Attribute.SENSITIVE, Attribute.LOCAL):
    print(key[name])
"""
    key_id = (parse_uri(uri).id or b"").hex()
    argv = [sys.executable, "-c", code, str(token.module), token.label, PIN, key_id]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_several_keys_share_a_label_and_the_uri_tells_them_apart(token: Token) -> None:
    made = [make_device_key(token.uri(), token.settings) for _ in range(2)]
    assert len({signer.public.kid for signer, _ in made}) == 2
    for signer, uri in made:
        assert open_device_signer(uri, token.settings).public == signer.public
    with pytest.raises(UnavailableError, match="several"):
        open_device_signer(token.uri(), token.settings)
    with pytest.raises(UsageError, match="already"):
        make_device_key(made[0][1], token.settings)
    assert made[0][0].sign(b"still")


def test_an_algorithm_that_is_not_allowed_is_not_made(token: Token) -> None:
    with pytest.raises(InputError) as caught:
        make_device_key(token.uri(), token.settings, alg="RS256")
    assert caught.value.code == "ALG_NOT_ALLOWED"


def test_eight_threads_sign_five_hundred_times_each(signer: DeviceSigner) -> None:
    def work(thread: int) -> list[tuple[bytes, bytes]]:
        messages = [f"{thread}/{number}".encode() for number in range(500)]
        return [(message, signer.sign(message)) for message in messages]

    with ThreadPoolExecutor(8) as pool:
        signed = [pair for pairs in pool.map(work, range(8)) for pair in pairs]
    assert len({signature for _, signature in signed}) == 4000
    assert all(signer.public.verify(signature, message) for message, signature in signed)


def test_who_has_just_used_the_device_comes_after_who_waits(
    token: Token, signer: DeviceSigner
) -> None:
    from talentseal.pkcs11 import _device

    device, seen = _device(token.module), list[str]()

    def use(name: str) -> None:
        with device._alone(signer._seat):
            seen.append(name)

    with ThreadPoolExecutor(1) as pool:
        with device._alone(signer._seat):
            waiting = pool.submit(use, "waits")
            while not device._lock.waiting and not waiting.done():
                time.sleep(0.001)
        use("again")
        waiting.result(30)
    assert seen == ["waits", "again"]


SIGNING = """
import sys
from pathlib import Path
from talentseal.pkcs11 import DeviceSettings, open_device_signer
uri, module, pin = sys.argv[1:]
signer = open_device_signer(uri, DeviceSettings(Path(module), Path(pin)))
for number in range(300):
    message = str(number).encode()
    if not signer.public.verify(signer.sign(message), message):
        sys.exit(1)
"""


def test_two_processes_sign_with_one_key(token: Token) -> None:
    signer, uri = make_device_key(token.uri(), token.settings)
    argv = [sys.executable, "-c", SIGNING, uri, str(token.module), str(token.pin_file)]
    both = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert signer.sign(b"meanwhile")
    told = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told


FORKING = """
import os, sys, threading
from pathlib import Path
from talentseal.pkcs11 import DeviceSettings, open_device_signer
uri, module, pin = sys.argv[1:]
signer = open_device_signer(uri, DeviceSettings(Path(module), Path(pin)))
signer.sign(b"before")
child = os.fork()
good = signer.public.verify(signer.sign(b"after"), b"after")
if child == 0:
    os._exit(0 if good else 1)
_, status = os.waitpid(child, 0)
sys.exit(0 if good and status == 0 and signer.sign(b"again") else 1)
"""


def test_a_forked_process_opens_the_device_for_itself(token: Token) -> None:
    _, uri = make_device_key(token.uri(), token.settings)
    argv = [sys.executable, "-c", FORKING, uri, str(token.module), str(token.pin_file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_signer_is_never_pickled_and_shows_no_more_than_its_name(signer: DeviceSigner) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(signer)
    assert repr(signer) == f"DeviceSigner({signer.public.kid})"


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_token_that_is_lost_is_named_and_used_again_when_it_is_back(
    token: Token, signer: DeviceSigner
) -> None:
    token.take_away()
    for _ in range(3):
        with pytest.raises(UnavailableError) as caught:
            signer.sign(b"message")
        assert caught.value.code == "DEPENDENCY_UNAVAILABLE"
        assert token.label in sentence(caught)
    token.bring_back()
    assert signer.public.verify(signer.sign(b"message"), b"message")


def test_eight_threads_live_through_the_loss_of_the_token(
    token: Token, signer: DeviceSigner
) -> None:
    stop, bad, noticed = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                good = signer.public.verify(signer.sign(b"message"), b"message")
            except UnavailableError:
                noticed.set()
            else:
                if not good:
                    bad.set()

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(work) for _ in range(8)]
        for _ in range(3):
            signer.sign(b"message")
            noticed.clear()
            token.take_away()
            with pytest.raises(UnavailableError):
                signer.sign(b"message")
            is_felt = noticed.wait(30)  # by one of the eight, which take their turns as they may
            token.bring_back()
            if not is_felt:
                break
        stop.set()
        for one in running:
            one.result(timeout=60)
    assert is_felt
    assert not bad.is_set()
    assert signer.sign(b"message")


def test_the_loss_of_one_token_does_no_lasting_harm_to_another(
    token: Token, signer: DeviceSigner
) -> None:
    absent = token.uri().replace(token.label, "absent")
    with pytest.raises(UnavailableError, match="absent"):
        open_device_signer(absent, token.settings)
    assert signer.public.verify(signer.sign(b"message"), b"message")


def test_another_key_under_the_same_name_is_not_signed_with(token: Token) -> None:
    signer, uri = make_device_key(token.uri() + ";id=%01", token.settings)
    token.take_away()
    (token.folder / "tokens").mkdir()
    argv = ["--init-token", "--free", "--label", token.label, "--pin", PIN, "--so-pin", "914027"]
    subprocess.run(["softhsm2-util", *argv], check=True, capture_output=True, timeout=30)
    make_device_key(uri, token.settings)
    with pytest.raises(UnavailableError, match="another key"):
        signer.sign(b"message")


def test_a_wrong_pin_is_tried_once_and_the_right_one_works_without_a_restart(
    token: Token, signer: DeviceSigner
) -> None:
    token.write_pin("111111")
    for _ in range(20):  # a device would be locked long since
        with pytest.raises(UnavailableError) as caught:
            open_device_signer(token.uri("unknown"), token.settings)
        assert "PIN" in sentence(caught)
        assert "111111" not in sentence(caught)
    token.write_pin()
    assert signer.sign(b"message")


def test_an_unknown_label_is_said_and_disturbs_nobody(token: Token, signer: DeviceSigner) -> None:
    with pytest.raises(UnavailableError, match="no key of that label"):
        open_device_signer(token.uri("unknown"), token.settings)
    assert signer.sign(b"message")


def test_a_pin_file_that_others_can_read_is_refused(token: Token) -> None:
    token.pin_file.chmod(0o644)
    with pytest.raises(UnavailableError, match="open to other users"):
        open_device_signer(token.uri(), token.settings)


@pytest.mark.parametrize("content", [b"", b"\n", b"1\n2\n", b"\xff", b"1" * 256])
def test_a_pin_file_holds_one_line(token: Token, content: bytes) -> None:
    token.pin_file.write_bytes(content)
    with pytest.raises(UsageError, match="PIN"):
        open_device_signer(token.uri(), token.settings)


def test_a_pin_file_may_be_named_in_the_uri(token: Token) -> None:
    bare = DeviceSettings(token.module)
    with pytest.raises(UsageError, match="PIN"):
        make_device_key(token.uri(), bare)
    make_device_key(token.uri(), token.settings)
    assert open_device_signer(f"{token.uri()}?pin-source=file:{token.pin_file}", bare).sign(b"m")


@pytest.mark.parametrize("module", ["/nonexistent/module.so", "/etc/hostname"])
def test_a_module_that_cannot_be_loaded_is_named(token: Token, module: str) -> None:
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        open_device_signer(f"{token.uri()}?module-path={module}", token.settings)
    other = ctypes.util.find_library("c")
    assert other, "this system has a C library"
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        open_device_signer(f"{token.uri()}?module-path=/{other}", token.settings)


def test_who_waits_behind_a_silent_device_gives_up(token: Token, signer: DeviceSigner) -> None:
    from talentseal.pkcs11 import _device

    _, uri = make_device_key(token.uri("other"), token.settings)
    impatient = open_device_signer(uri, token.settings._replace(wait_seconds=0.05))
    device, began, over = _device(token.module), threading.Event(), threading.Event()

    def silent() -> None:
        with device._alone(signer._seat):
            began.set()
            over.wait(30)

    thread = threading.Thread(target=silent)
    thread.start()
    try:
        assert began.wait(30)
        with pytest.raises(UnavailableError, match="has not answered"):
            impatient.sign(b"message")
    finally:
        over.set()
        thread.join(30)
    assert impatient.sign(b"message")


WAITING = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background ignores it
from talentseal.pkcs11 import in_reach
try:
    in_reach(lambda: print("waiting", flush=True) or time.sleep(600))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_whoever_waits_for_a_silent_device_can_be_interrupted() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[0] == "interrupted\n"


def test_what_a_device_says_comes_through_as_it_is() -> None:
    assert in_reach(lambda: b"signed") == b"signed"
    with pytest.raises(UnavailableError, match="gone"):
        in_reach(partial(_fail, UnavailableError("gone")))


def _fail(error: Exception) -> NoReturn:
    raise error


WITHOUT = """
import sys
sys.modules["pkcs11"] = None
from talentseal.commandline import run, new_app, device_settings
from talentseal.keystore import open_signer
app = new_app("Example: none")
@app.command()
def sign() -> None:
    open_signer("pkcs11:token=t;object=o", passphrase=bytes, device=device_settings())
sys.exit(run(app, []))
"""


def test_a_missing_extra_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT],
        env={**os.environ, "TALENTSEAL_PKCS11_MODULE": str(tmp_path / "module.so")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "keys in a signing device need the extra `hsm`, which is not installed",
        'Run: pip install "talentseal[hsm]"',
        "[NOT_OFFERED]",
    ]
