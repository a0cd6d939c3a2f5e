from issuer_desk import Bureau
from officers_desk import open_counter


def test_the_service_is_ready_where_key_trust_and_indices_are_there(bureau: Bureau) -> None:
    with open_counter(bureau) as counter:
        client = counter.client
        assert client.get("/healthz").json() == {"status": "ok"}
        parts = client.get("/readyz").json()["parts"]
        assert {name: part["ok"] for name, part in parts.items()} == dict.fromkeys(
            ("database", "key", "trust", "outbox", "status"), True
        )
        assert "talentseal_status_room 256.0" in client.get("/metrics").text
        bureau.change("UPDATE status_block SET used = size")
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert not answer.json()["parts"]["status"]["ok"]
