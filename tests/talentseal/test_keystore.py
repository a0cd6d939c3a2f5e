import copy
import hashlib
import json
import pickle
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from talentseal import keystore
from talentseal.encoding import b64url_encode, dump_json, parse_json
from talentseal.errors import Exit, InputError, TalentsealError, UnavailableError, UsageError
from talentseal.files import write_atomic
from talentseal.keys import signer_from_secret
from talentseal.keystore import (
    KEYSTORE_FILE,
    Keystore,
    make_lock,
    open_box,
    open_lock,
    open_signer,
    open_signers,
    seal_box,
)
from talentseal.passphrase import MAX_PASSPHRASE_BYTES, derive_key, read_passphrase

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
WORDS = b"correct horse of a fictional person"
FAST = 2**14  # the least work that is accepted


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    return Keystore.create(tmp_path / "keys", WORDS, dev=True, n=FAST)


def sentence(act: Callable[[], Any]) -> str:
    """The sentence with which a keystore was refused, always with exit 4."""
    with pytest.raises(UnavailableError) as caught:
        act()
    assert caught.value.exit == Exit.UNAVAILABLE
    return caught.value.message


# --- a key's life ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_key_signs_the_same_after_the_keystore_was_closed(store: Keystore, alg: str) -> None:
    made = store.new(alg, now=NOW)
    loaded = Keystore.open(store.folder, WORDS).load(made.public.kid)
    assert loaded.public == made.public
    assert loaded.public.alg == alg
    assert made.public.verify(loaded.sign(b"m"), b"m")


def test_all_keys_are_listed_and_labelled(store: Keystore) -> None:
    made = sorted(store.new(alg, now=NOW).public.kid for alg in ("ES256", "EdDSA", "ES256"))
    assert Keystore.open(store.folder, WORDS).kids() == made
    assert [store.label(kid).kid for kid in made] == made
    label = store.label(made[0])
    assert (label.dev, label.created) == (True, "2026-11-21T09:00:00Z")
    assert label.alg == store.load(made[0]).public.alg


@pytest.mark.parametrize("dev", [True, False])
def test_the_development_mark_stays(tmp_path: Path, dev: bool) -> None:  # noqa: FBT001
    store = Keystore.create(tmp_path / "k", WORDS, dev=dev, n=FAST)
    kid = store.new(now=NOW).public.kid
    again = Keystore.open(tmp_path / "k", WORDS)
    assert again.dev is dev
    assert again.label(kid).dev is dev


def test_files_and_folder_are_for_the_owner_only(store: Keystore) -> None:
    store.new(now=NOW)
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    for path in store.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_keystore_is_never_replaced(store: Keystore) -> None:
    kid = store.new(now=NOW).public.kid
    assert "exists already" in sentence(
        lambda: Keystore.create(store.folder, b"other words", dev=False, n=FAST)
    )
    assert Keystore.open(store.folder, WORDS).load(kid).public.kid == kid


def test_nothing_secret_is_in_the_files_or_in_a_repr(store: Keystore) -> None:
    signer = signer_from_secret(0xC0FFEE << 200)
    store.store(signer, now=NOW)
    secret = (0xC0FFEE << 200).to_bytes(32)
    content = b"".join(path.read_bytes() for path in store.folder.iterdir())
    for form in (secret, b64url_encode(secret).encode(), secret.hex().encode(), WORDS):
        assert form not in content
    assert repr(store) == f"Keystore({str(store.folder)!r}, dev=True)"
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="keystore"):
            act(store)


def test_the_same_key_is_never_sealed_with_the_same_nonce(store: Keystore) -> None:
    signer = signer_from_secret(5)
    boxes = set()
    for _ in range(5):
        store.store(signer, now=NOW)
        content = parse_json((store.folder / f"{signer.public.kid}.key").read_bytes())
        boxes.add((content["nonce"], content["sealed"]))
    assert len({nonce for nonce, _ in boxes}) == len(boxes) == 5


# --- refusals -------------------------------------------------------------------------------------


def test_a_wrong_passphrase_and_a_damaged_file_are_told_apart(store: Keystore) -> None:
    path = store.folder / KEYSTORE_FILE
    whole = path.read_bytes()
    for words in (b"wrong", WORDS + b" ", WORDS[:-1], b"x" * 2000):
        assert sentence(partial(Keystore.open, store.folder, words)) == "wrong passphrase"
    for broken in (
        b"",
        whole[:-1],
        whole[: len(whole) // 2],
        whole + b"x",
        b"{}",
        b"[]",
        b"\0" * 99,
    ):
        write_atomic(path, broken)
        assert "is damaged" in sentence(lambda: Keystore.open(store.folder, WORDS))
        assert "is damaged" in sentence(lambda: Keystore.open(store.folder, b"wrong"))


def test_no_character_of_the_keystore_file_may_change(store: Keystore) -> None:
    path = store.folder / KEYSTORE_FILE
    whole = path.read_bytes()
    for at in range(len(whole)):
        write_atomic(path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "is damaged" in sentence(lambda: Keystore.open(store.folder, WORDS))


def forged(lock: dict[str, Any]) -> dict[str, Any]:
    """A lock whose digest has been recomputed by somebody who knows how."""
    body = {name: value for name, value in lock.items() if name != "digest"}
    return {**body, "digest": keystore._digest(body)}


def test_a_lock_altered_on_purpose_does_not_open(store: Keystore) -> None:
    path = store.folder / KEYSTORE_FILE
    lock = parse_json(path.read_bytes())
    write_atomic(path, dump_json(forged(lock | {"dev": False})))
    assert sentence(lambda: Keystore.open(store.folder, WORDS)) == "wrong passphrase"
    write_atomic(path, dump_json(forged(lock | {"version": 2})))
    assert "another version" in sentence(lambda: Keystore.open(store.folder, WORDS))


def test_no_character_of_a_key_file_may_change(store: Keystore) -> None:
    kid = store.new(now=NOW).public.kid
    path = store.folder / f"{kid}.key"
    whole = path.read_bytes()
    for at in range(len(whole)):
        write_atomic(path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert "is damaged" in sentence(lambda: store.load(kid))
    for end in range(0, len(whole), 7):
        write_atomic(path, whole[:end])
        assert "is damaged" in sentence(lambda: store.load(kid))


@pytest.mark.parametrize(
    "change", [{"dev": 1}, {"kid": None}, {"alg": ["ES256"]}, {"created": 0}, {"more": ""}]
)
def test_a_label_has_its_four_members_of_their_kinds(
    store: Keystore, change: dict[str, Any]
) -> None:
    kid = store.new(now=NOW).public.kid
    path = store.folder / f"{kid}.key"
    write_atomic(path, dump_json(parse_json(path.read_bytes()) | change))
    for act in (store.label, store.load):
        assert "is damaged" in sentence(partial(act, kid))


def test_a_development_mark_cannot_be_taken_from_a_key(store: Keystore) -> None:
    kid = store.new(now=NOW).public.kid
    path = store.folder / f"{kid}.key"
    write_atomic(path, path.read_bytes().replace(b'"dev":true', b'"dev":false'))
    assert "is damaged" in sentence(lambda: store.load(kid))


def test_keys_do_not_answer_to_another_name_or_in_another_keystore(
    store: Keystore, tmp_path: Path
) -> None:
    one, two = (store.new(now=NOW).public.kid for _ in range(2))
    other = Keystore.create(tmp_path / "other", WORDS, dev=True, n=FAST)
    content = (store.folder / f"{one}.key").read_bytes()
    write_atomic(store.folder / f"{two}.key", content)
    write_atomic(other.folder / f"{one}.key", content)
    assert "another key" in sentence(lambda: store.load(two))
    assert "is damaged" in sentence(lambda: other.load(one))


def test_an_absent_key_is_named(store: Keystore) -> None:
    assert "does not exist" in sentence(lambda: store.load("A" * 43))


@pytest.mark.parametrize(
    "kid",
    ["", "a", "A" * 42, "A" * 44, "../" + "A" * 40, "A" * 42 + "/", "A" * 42 + "\n", "." * 43],
)
def test_nothing_but_a_key_identifier_becomes_a_path(store: Keystore, kid: str) -> None:
    for act in (store.load, store.label):
        with pytest.raises(UsageError):
            act(kid)


def test_foreign_files_in_the_folder_are_no_keys(store: Keystore) -> None:
    for name in ("notes.key", ".key", "x" * 43, "y" * 43 + ".key.bak", "." + "z" * 42 + ".key"):
        write_atomic(store.folder / name, b"")
    assert store.kids() == []


def test_loose_modes_and_links_are_refused(store: Keystore, tmp_path: Path) -> None:
    kid = store.new(now=NOW).public.kid
    key = store.folder / f"{kid}.key"
    key.chmod(0o640)
    assert "open to other users" in sentence(lambda: store.load(kid))
    key.chmod(0o600)
    (store.folder / KEYSTORE_FILE).chmod(0o644)
    assert "open to other users" in sentence(lambda: Keystore.open(store.folder, WORDS))
    (store.folder / KEYSTORE_FILE).chmod(0o600)
    store.folder.chmod(0o755)
    assert "open to other users" in sentence(lambda: Keystore.open(store.folder, WORDS))
    assert "open to other users" in sentence(lambda: store.new(now=NOW))
    assert "open to other users" in sentence(store.kids)
    store.folder.chmod(0o700)
    key.rename(tmp_path / "moved")
    key.symlink_to(tmp_path / "moved")
    assert "links are not followed" in sentence(lambda: store.load(kid))
    (tmp_path / "link").symlink_to(store.folder)
    assert "is not a folder" in sentence(lambda: Keystore.open(tmp_path / "link", WORDS))


def test_a_key_of_another_kind_is_refused() -> None:
    p384 = ec.generate_private_key(ec.SECP384R1())
    for secret in (
        p384.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        b"not a key",
    ):
        with pytest.raises(InputError):
            keystore._signer(secret)


# --- the price of a lock --------------------------------------------------------------------------


@pytest.fixture
def params() -> dict[str, Any]:
    return {"name": "scrypt", "n": FAST, "r": 8, "p": 1, "salt": b64url_encode(bytes(16))}


@pytest.mark.parametrize(
    "change",
    [{"n": 2**13}, {"n": 2**18}, {"n": 2**40}, {"n": FAST + 1}, {"n": 0}, {"n": -1}, {"n": "16384"},
     {"n": True}, {"r": 1}, {"r": 9}, {"r": 2**20}, {"p": 0}, {"p": 5}, {"p": 2**30}, {"p": None},
     {"name": "pbkdf2"}, {"name": None}, {"salt": ""}, {"salt": b64url_encode(bytes(15))},
     {"salt": b64url_encode(bytes(65))}, {"salt": None}, {"salt": "!"}, {"n": [FAST]}],
)  # fmt: skip
def test_weak_or_ruinous_parameters_are_refused(
    params: dict[str, Any], change: dict[str, Any]
) -> None:
    assert len(derive_key(WORDS, params)) == 32
    with pytest.raises(InputError):
        derive_key(WORDS, params | change)
    with pytest.raises(InputError):
        derive_key(WORDS, {name: params[name] for name in params if name not in change})


def test_a_hostile_keystore_file_is_refused_before_it_costs_memory(store: Keystore) -> None:
    path = store.folder / KEYSTORE_FILE
    lock = parse_json(path.read_bytes())
    for change in ({"n": 2**30}, {"p": 2**20}):
        write_atomic(path, dump_json(forged(lock | {"kdf": lock["kdf"] | change})))
        assert "is damaged" in sentence(lambda: Keystore.open(store.folder, WORDS))


def test_the_derivation_is_scrypt_of_rfc_7914(params: dict[str, Any]) -> None:
    plain = hashlib.scrypt(WORDS, salt=bytes(16), n=FAST, r=8, p=1, maxmem=2**26, dklen=32)
    assert derive_key(WORDS, params) == plain


def test_a_lock_vouches_for_its_label_and_leaves_the_passphrase_out() -> None:
    lock, key = make_lock(WORDS, {"vault": "wallet"}, n=FAST)
    assert open_lock(lock, WORDS) == key
    assert open_lock(json.loads(dump_json(lock)), WORDS) == key
    assert key not in dump_json(lock)
    with pytest.raises(InputError):
        open_lock(lock | {"vault": "other"}, WORDS)
    with pytest.raises(UnavailableError, match="wrong passphrase"):
        open_lock(forged(lock | {"vault": "other"}), WORDS)
    with pytest.raises(InputError):
        open_lock({}, WORDS)


@pytest.mark.parametrize("words", [b"", b"x" * (MAX_PASSPHRASE_BYTES + 1)])
def test_no_lock_is_made_with_an_impossible_passphrase(tmp_path: Path, words: bytes) -> None:
    with pytest.raises(UsageError):
        Keystore.create(tmp_path / "k", words, dev=True)
    assert not (tmp_path / "k").exists()


# --- boxes ----------------------------------------------------------------------------------------

KEY = bytes(range(32))


@given(st.binary(max_size=100), st.binary(max_size=30))
def test_a_box_gives_back_what_was_sealed(data: bytes, label: bytes) -> None:
    assert open_box(seal_box(data, KEY, label), KEY, label) == data


def test_a_box_is_aes_256_gcm_with_its_nonce_before_it() -> None:
    # NIST's GCM test case 13: no plaintext, key and nonce of zeros.
    box = seal_box(b"", bytes(32), b"", random=bytes)
    assert box.hex() == "00" * 12 + "530f8afbc74536b9a963b4f1c4cb738b"


@given(st.binary(max_size=40), st.data())
def test_no_bit_of_a_box_may_flip(data: bytes, choice: st.DataObject) -> None:
    box = bytearray(seal_box(data, KEY, b"label"))
    box[choice.draw(st.integers(0, len(box) - 1))] ^= 1 << choice.draw(st.integers(0, 7))
    with pytest.raises(InputError):
        open_box(bytes(box), KEY, b"label")


def test_a_box_opens_with_its_own_key_and_label_only() -> None:
    box = seal_box(b"data", KEY, b"label")
    wrong = [(box, bytes(32), b"label"), (box, KEY, b"lable"), (box[:-1], KEY, b"label"),
             (box[:27], KEY, b"label"), (b"", KEY, b"label")]  # fmt: skip
    for content, key, label in wrong:
        with pytest.raises(InputError):
            open_box(content, key, label)


# --- a signer from a URI --------------------------------------------------------------------------


def test_signers_come_from_uris_in_order_with_one_question(store: Keystore) -> None:
    asked: list[bytes] = []

    def passphrase() -> bytes:
        asked.append(WORDS)
        return WORDS

    kids = [store.new(now=NOW).public.kid for _ in range(3)]
    uris = [f"file:{store.folder}/{kid}.key" for kid in kids]
    signers = open_signers(uris, passphrase=passphrase)
    assert [signer.public.kid for signer in signers] == kids
    assert len(asked) == 1
    assert open_signer(uris[1], passphrase=passphrase).public.kid == kids[1]
    assert open_signers([], passphrase=passphrase) == []
    assert len(asked) == 2


def never() -> bytes:
    raise AssertionError("nobody should be asked")


def test_what_is_not_offered_says_so() -> None:
    with pytest.raises(UnavailableError) as caught:
        open_signer("kms:projects/p/keys/k", passphrase=never)
    assert caught.value.code == "NOT_OFFERED"
    assert "kms" in caught.value.message


def test_a_key_in_a_device_asks_for_no_passphrase() -> None:
    with pytest.raises(UsageError, match="module"):
        open_signer("pkcs11:token=t;object=sealing", passphrase=never)


@pytest.mark.parametrize(
    "uri",
    ["", "file:", "file:/keys", "/keys/" + "A" * 43 + ".key", "file:/keys/short.key", "pkcs11",
     "https://a.example/" + "A" * 43 + ".key", "file:/keys/" + "A" * 43,
     "FILE:/k/" + "A" * 43 + ".key"],
)  # fmt: skip
def test_what_is_no_uri_of_a_key_is_refused_before_anybody_is_asked(uri: str) -> None:
    with pytest.raises(UsageError):
        open_signer(uri, passphrase=never)


# --- passphrases ----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_passphrase_is_one_line_of_a_private_file(tmp_path: Path, end: bytes) -> None:
    write_atomic(tmp_path / "p", b" two words " + end)
    assert read_passphrase(tmp_path / "p", None) == b" two words "


def test_a_passphrase_is_the_same_from_file_and_keyboard_in_every_composition(
    tmp_path: Path,
) -> None:
    write_atomic(tmp_path / "p", "Coração".encode())
    composed = read_passphrase(tmp_path / "p", None)
    assert read_passphrase(None, lambda: "Corac\u0327a\u0303o") == composed


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 1025])
def test_what_is_no_passphrase_is_refused(tmp_path: Path, content: bytes) -> None:
    write_atomic(tmp_path / "p", content)
    with pytest.raises(UsageError):
        read_passphrase(tmp_path / "p", None)


def test_a_passphrase_others_may_read_is_refused(tmp_path: Path) -> None:
    write_atomic(tmp_path / "p", WORDS, mode=0o644)
    assert "open to other users" in sentence(lambda: read_passphrase(tmp_path / "p", None))
    assert "does not exist" in sentence(lambda: read_passphrase(tmp_path / "absent", None))


def test_with_nobody_to_ask_the_way_out_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        read_passphrase(None, None)
    assert "file" in caught.value.hint
    with pytest.raises(UsageError):
        read_passphrase(None, lambda: "")


# --- kill -9 --------------------------------------------------------------------------------------

MAKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from talentseal.keystore import Keystore
store = Keystore.open(Path(sys.argv[1]), sys.argv[2].encode())
while True:
    print(store.new(now=datetime(2026, 11, 21, tzinfo=UTC)).public.kid, flush=True)
"""


def lines(pipe: Iterator[str]) -> list[str]:
    return [line.strip() for line in pipe if line.endswith("\n")]


def test_every_key_that_was_named_is_there_after_kill_9(store: Keystore) -> None:
    named: list[str] = []
    for attempt in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", MAKER, str(store.folder), WORDS.decode()],
            stdout=subprocess.PIPE,
            text=True,
        ) as maker:
            assert maker.stdout is not None
            named += [maker.stdout.readline().strip() for _ in range(3 + 2 * attempt)]
            maker.kill()
            named += lines(maker.stdout)
    again = Keystore.open(store.folder, WORDS)
    assert len(named) == len(set(named)) >= 15
    assert set(named) <= set(again.kids())
    for kid in again.kids():
        assert again.load(kid).public.kid == kid


def test_of_two_creators_at_once_one_wins(tmp_path: Path) -> None:
    create = """
import sys
from pathlib import Path
from talentseal.errors import TalentsealError
from talentseal.keystore import Keystore
try:
    Keystore.create(Path(sys.argv[1]), sys.argv[2].encode(), dev=True)
    print(sys.argv[2])
except TalentsealError:
    pass
"""
    creators = [
        subprocess.Popen(
            [sys.executable, "-c", create, str(tmp_path / "k"), words],
            stdout=subprocess.PIPE,
            text=True,
        )
        for words in ("one", "two")
    ]
    winners = "".join(creator.communicate(timeout=60)[0] for creator in creators).split()
    assert len(winners) == 1
    assert Keystore.open(tmp_path / "k", winners[0].encode()).kids() == []


def test_every_refusal_is_one_of_ours(store: Keystore) -> None:
    (store.folder / KEYSTORE_FILE).unlink()
    with pytest.raises(TalentsealError, match="does not exist"):
        Keystore.open(store.folder, WORDS)
