"""The promises about speed and size, in the order of the performance page.

`raw` is one ES256 verification by `cryptography` with a ready key object, measured in the same
run. Bench modules take their goals from here and never invent one; a goal whose subject is not
built yet stays in the table and says so.
"""

from benchmarks.pairing import Goal, Limit

_ALL = (
    Goal(
        1,
        "SD-JWT VC verify, ES256, 12 claims, 8 disclosures, every check",
        Limit("<=", 2.0),
        "raw",
        times_faster_than_peers=2.3,
    ),
    Goal(2, "the same with EdDSA", Limit("<=", 1.6), "raw EdDSA"),
    Goal(3, "the same with key binding", Limit("<=", 2.0), "two raws"),
    Goal(
        4, "credential seen before (re-scan), all other checks run again", Limit("<=", 0.75), "raw"
    ),
    Goal(5, "bulk verification on two processes", Limit(">=", 1.9), "one process, wall"),
    Goal(
        6,
        "code: text in digits to checked claims, about 470 bytes",
        Limit("<=", 2.0),
        "raw",
        times_faster_than_peers=1.4,
    ),
    Goal(7, "camera frame to verdict, 1080p", Limit("<=", 1.05), "decoding the picture"),
    Goal(8, "mdoc issuer-signed, 12 elements", Limit("<=", 2.5), "raw", times_faster_than_peers=3),
    Goal(9, "issue and store in bulk, 8 salted disclosures", Limit("<=", 4.0), "raw sign"),
    Goal(10, "QR image of a code, byte and numeric segments", Limit(">=", 15), "`qrcode`"),
    Goal(11, "sealed PDF in bulk, the signing step", Limit(">=", 50), "`pyhanko`"),
    Goal(12, "extra status feed, size", Limit("<=", 1.03), "entropy bound"),
    Goal(
        13, "re-publish a status list of 2^20 entries after one change", Limit(">=", 50), "zlib-9"
    ),
    Goal(14, "entries of a registry state that fit one code, at 1 %", Limit(">=", 250_000), "1"),
    Goal(15, "HTTP verify, one credential", Limit("<=", 1.5), "bare ASGI"),
    Goal(16, "transparency log, append at 500 k leaves", Limit("<=", 1.6), "2 SHA-256"),
    Goal(
        17,
        "cold start of `wallet list` and `verifier check FILE`",
        Limit("<=", 1.5),
        "a process importing the curve code, CBOR and the CLI library; wall",
    ),
)

GOALS: dict[int, Goal] = {goal.id: goal for goal in _ALL}
