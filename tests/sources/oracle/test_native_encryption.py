"""Native encryption, packet by packet: what is not agreed or was changed is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle_server.encryption import Algorithms, Negotiation, Secrecy

from marketpulse.sources.oracle.native_encryption import (
    OVERHEAD,
    Agreement,
    NegotiationError,
    ProtectedSession,
    offer,
)


def agree(encryption: int = 17, integrity: int = 5) -> tuple[ProtectedSession, Secrecy]:
    """Both sides of an agreement."""
    server = Negotiation(Algorithms(encryption, integrity))
    agreement = Agreement(server.answer(offer()))
    return agreement.session, server.secrecy(agreement.public_key)


@given(st.lists(st.binary(max_size=100), max_size=5), st.sampled_from([4, 5, 6, 0]))
def test_both_sides_understand_each_other(payloads: list[bytes], integrity: int) -> None:
    """Payloads of any length arrive in both directions, also after new keys."""
    client, server = agree(15, integrity)
    for _ in range(2):
        for payload in payloads:
            protected = client.protect(payload)
            assert len(protected) <= len(payload) + OVERHEAD
            assert server.decrypt(protected) == payload
            assert client.open(server.encrypt(payload)) == payload
        client.sent.renew()
        client.received.renew()
        server.renew()


def test_packets_that_are_not_the_servers_own() -> None:
    """A changed, cut, repeated or swapped packet is refused; so is one with old keys."""
    client, server = agree()
    first, second = server.encrypt(b"first"), server.encrypt(b"second")
    for wrong in (second, b"", b"\0", first[:-3], first[:-2] + b"\x20\0", bytes(len(first))):
        with pytest.raises(ValueError, match="is wrong"):
            agree()[0].open(wrong)
    assert client.open(first) == b"first"
    with pytest.raises(ValueError, match="its checksum is wrong"):
        client.open(first)

    client, server = agree()
    client.received.renew()
    with pytest.raises(ValueError, match="its checksum is wrong"):
        client.open(server.encrypt(b"old keys"))


@given(st.binary(max_size=300))
def test_an_answer_that_is_none(noise: bytes) -> None:
    """Bytes that are no negotiation are an error of the negotiation."""
    with pytest.raises(NegotiationError):
        Agreement(noise)


@given(st.integers(0, 700), st.binary(min_size=1, max_size=8))
def test_a_damaged_answer(place: int, noise: bytes) -> None:
    """A damaged answer is an agreement or an error of the negotiation, nothing else."""
    answer = Negotiation(Algorithms()).answer(offer())
    try:
        agreement = Agreement(answer[:place] + noise + answer[place + len(noise) :])
    except NegotiationError:
        return
    assert str(agreement.protection)


@pytest.mark.parametrize(
    ("start", "changed", "reason"),
    [
        (b"\x00\x01\x00\x02\x11", b"\x00\x01\x00\x02\x0c", "does not encrypt with AES"),
        (b"\x00\x01\x00\x02\x11", b"\x00\x01\x00\x02\x00", "does not encrypt with AES"),
        (b"\x00\x01\x00\x02\x05", b"\x00\x01\x00\x02\x01", "other than SHA-2"),
        (b"\xfb\xff", b"\xfa\xff", "Kerberos"),
    ],
)
def test_agreements_that_are_refused(start: bytes, changed: bytes, reason: str) -> None:
    """A weak cipher or checksum, none at all, or a login by the network."""
    answer = Negotiation(Algorithms()).answer(offer())
    assert start in answer
    with pytest.raises(NegotiationError, match=reason):
        Agreement(answer.replace(start, changed, 1))


def test_a_key_that_is_not_valid() -> None:
    """A key of the server that gives the shared key away is refused."""
    server = Negotiation(Algorithms())
    answer = server.answer(offer())
    # The last fields are the server's key and the IV, each after its length and type.
    end = len(answer) - 4 - 32
    for key in (0, 1):
        weak = answer[: end - 128] + key.to_bytes(128, "big") + answer[end:]
        with pytest.raises(NegotiationError, match="its key is not valid"):
            Agreement(weak)
    assert Agreement(answer).protection.cipher == "AES256"
