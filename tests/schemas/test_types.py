from pathlib import Path

import orjson
import pytest

from schemas.types import TYPE_IDS, load_type, path_of, type_id_of, vct_of
from schemas.types.build import build_type
from talentseal.encoding import MAX_METADATA_BYTES
from talentseal.type_metadata import CredentialType

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ["en", "zh-Hans", "zh-Hant", "pt"]


@pytest.mark.parametrize("type_id", TYPE_IDS)
def test_a_published_document_is_what_the_claim_table_says(type_id: str) -> None:
    assert path_of(type_id).read_bytes() == build_type(type_id) == load_type(type_id)


@pytest.mark.parametrize("type_id", TYPE_IDS)
def test_a_document_speaks_four_languages_and_lists_every_claim_once(type_id: str) -> None:
    document = orjson.loads(load_type(type_id))
    assert document["vct"] == vct_of(type_id)
    assert [entry["locale"] for entry in document["display"]] == LANGUAGES
    paths = [tuple(claim["path"]) for claim in document["claims"]]
    assert len(set(paths)) == len(paths)
    for claim in document["claims"]:
        assert [entry["locale"] for entry in claim["display"]] == LANGUAGES
    assert len(load_type(type_id)) <= MAX_METADATA_BYTES


@pytest.mark.parametrize("type_id", TYPE_IDS)
def test_a_document_compiles_to_the_tables_of_its_claims(type_id: str) -> None:
    kind = CredentialType.parse(load_type(type_id))
    table = orjson.loads((ROOT / f"schemas/data/claims/{type_id[:-2]}.json").read_bytes())
    tops = {claim["name"]: claim for claim in table["claims"] if len(claim["path"]) == 1}
    assert kind.always == {name for name, claim in tops.items() if claim["sd"] == "always"}
    assert kind.never == {name for name, claim in tops.items() if claim["sd"] == "never"}
    labels = {claim["label"]: tuple(claim["code_path"]) for claim in table["claims"] if claim["qr"]}
    assert {n: label.path for n, label in kind.labels.items()} == {**labels, 6: ("territory",)}
    assert kind.number == table["vct_integer"]


def test_a_type_id_and_its_url_name_each_other() -> None:
    assert [type_id_of(vct_of(type_id)) for type_id in TYPE_IDS] == list(TYPE_IDS)
    assert type_id_of("https://elsewhere.example/professional-title/1") is None
