"""The tier whose server is dead, hangs, crawls or comes and goes: what a call gets, and how often the server is asked.

A proxy of the tests stands before a real server. How often it is asked bounds what it can cost; that
every one of these gives up in time is seen by the tests' coming to an end.
"""

import secrets
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
import redis_servers
from caches import ANSWER, ask, told
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from progkit.caching import Cache, MemoryTier, RedisTier
from progkit.caching.breaker import LONGEST_REST, REST
from progkit.errors import CacheError


class Clock:
    """The time since the test began, and what it adds."""

    def __init__(self):
        self.added = 0.0

    def __call__(self):
        return self.added


@pytest.fixture
def proxy():
    with redis_servers.proxy() as proxy:
        yield proxy


@pytest.fixture
def make():
    made = []

    def make(url, **settings):
        made.append(RedisTier(url, **{"prefix": f"test-{secrets.token_hex(4)}", "timeout": 0.1} | settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def nowhere():
    """A port that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"redis://127.0.0.1:{port}"


def use(tier, times):
    """Read and write in turns, as a program that finds nothing does."""
    for number in range(times):
        assert tier.get(f"{number}") is None
        tier.put(f"{number}", b"x")


class TestDead:
    def test_is_asked_twice_for_a_thousand_calls(self, make, nowhere, caplog):
        """Then it is left alone, which is logged once, and nothing is raised or warned of."""
        tier = make(nowhere)

        assert told(lambda: use(tier, 500)) == []

        stats = tier.stats()
        assert (stats["failures"], stats["skipped"], stats["breaker"]) == (2, 998, "open")
        assert len(caplog.records) == 1
        assert "is left alone for 1 s" in caplog.text

    def test_what_is_asked_by_hand_raises(self, make, nowhere):
        """Whoever clears a cache wants to know that it was not; figures say it in their way."""
        tier = make(nowhere)

        for act in (lambda: tier.delete("a"), tier.clear, lambda: list(tier.keys()), lambda: tier.delete("a")):
            with pytest.raises(CacheError, match=f"the cache's server {nowhere}"):
                act()
        assert "left alone" in tier.stats()["failed"]

    def test_nobody_waits_for_a_lease(self, make, nowhere):
        """Everyone goes and asks the LM."""
        tier = make(nowhere)

        tokens = [tier.lease("k", 60) for _ in "abc"]
        for token in tokens:
            tier.release("k", token)

        assert all(tokens)

    def test_the_other_tiers_serve(self, make, nowhere):
        """Memory above it gives the hits."""
        cache = Cache(tiers=[MemoryTier(), make(nowhere)])
        key = cache.key_for(ask())

        def act():
            for _ in range(100):
                cache.safe_put(key, ANSWER)
                assert cache.safe_get(key) == ANSWER
            assert cache.safe_get("l") is None

        assert told(act) == []
        stats = cache.stats()["tiers"]["redis"]
        assert (stats["errors"], stats["failures"]) == (0, 2)

    def test_many_at_once(self, make, nowhere):
        """Unasked keys are missing, and that is all."""
        assert make(nowhere).get_many(f"{number}" for number in range(5000)) == {}

    def test_it_comes_back(self, make, proxy):
        """After a rest one call finds out, and all go on."""
        clock = Clock()
        port = proxy.port
        tier = make(proxy.url, clock=clock, timeout=5)
        tier.put("a", b"x")
        proxy.close()
        use(tier, 10)
        assert tier.stats()["breaker"] == "open"

        back = redis_servers.Proxy(redis_servers.shared().port, port)
        assert tier.get("a") is None
        clock.added += REST
        assert tier.get("a") == b"x"
        assert tier.stats()["breaker"] == "closed"
        back.close()


class TestHung:
    @pytest.mark.parametrize("connected", [True, False])
    def test_is_asked_twice_for_a_thousand_calls(self, make, proxy, connected):
        """It takes what is sent and says nothing."""
        tier = make(proxy.url, timeout=0.05, clock=Clock())
        if connected:
            tier.put("a", b"x")
        before, proxy.hanging = proxy.asked, True

        use(tier, 500)

        assert proxy.asked - before == 2
        assert tier.stats()["failures"] == 2

    def test_it_is_tried_once_a_minute_at_last(self, make, proxy):
        """Ten minutes of a call each second."""
        clock = Clock()
        tier = make(proxy.url, timeout=0.02, clock=clock)
        proxy.hanging = True

        for _ in range(600):
            clock.added += 1
            tier.get("a")

        assert proxy.asked <= 2 + 6 + 600 / LONGEST_REST

    def test_threads_wait_side_by_side(self, make, proxy):
        """Thirty that come at once are thirty tries of one timeout; the next thirty wait no more."""
        tier = make(proxy.url, timeout=0.2, clock=Clock())
        proxy.hanging = True
        for _ in "ab":
            threads = [threading.Thread(target=tier.get, args=("a",)) for _ in range(30)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert 2 <= proxy.asked <= 30
        assert tier.stats()["breaker"] == "open"

    def test_an_answer_that_comes_late_is_nobodys(self, make, proxy):
        """What was asked for in vain is not taken for the answer to the next question."""
        tier = make(proxy.url, timeout=0.2)
        tier.put("a", b"of a")
        tier.put("b", b"of b")
        proxy.delay = 0.4
        assert tier.get("a") is None

        proxy.delay = 0.0

        assert tier.get("b") in (b"of b", None)
        assert tier.get("b") == b"of b"


class TestSlow:
    def test_is_left_alone_as_well(self, make, proxy):
        """It answers in time, and each time too slowly: what it gives is taken, twice."""
        tier = make(proxy.url, timeout=2)
        tier.put("a", b"x")
        tier._breaker.slow = 0.02
        proxy.delay = 0.03
        before = proxy.asked

        found = [tier.get("a") for _ in range(500)]

        assert found == [b"x"] * 2 + [None] * 498
        assert proxy.asked - before == 2

    def test_a_walk_through_all_of_it_may_take_its_time(self, make, proxy):
        """Counting and clearing are no calls of a program."""
        tier = make(proxy.url, timeout=2)
        tier.put("a", b"x")
        tier._breaker.slow = 0.02
        proxy.delay = 0.03

        assert tier.stats()["entries"] == 1
        tier.clear()

        assert tier.stats()["breaker"] == "closed"


class TestFlapping:
    def test_a_connection_that_is_cut(self, make, proxy):
        """Once is one miss; the next call has a new connection."""
        tier = make(proxy.url, timeout=5)
        tier.put("a", b"x")
        proxy.cutting = True
        assert tier.get("a") is None

        proxy.cutting = False

        assert tier.get("a") == b"x"
        assert tier.stats()["failures"] == 1

    def test_one_that_comes_and_goes(self, make, proxy):
        """For an hour it cuts every other connection: it is hardly asked, nothing is raised, and each word is true."""
        clock = Clock()
        tier = make(proxy.url, timeout=5, clock=clock)
        tier.put("a", b"x")
        before, found = proxy.asked, set()

        for number in range(3600):
            clock.added += 1
            proxy.cutting = number % 2 == 0
            found.add(tier.get("a"))

        assert found == {b"x", None}
        assert tier.failures <= 70
        assert proxy.asked - before < 1800

    def test_a_server_that_starts_anew(self, make):
        """It has forgotten everything, connections too: a miss, and no failure."""
        server = redis_servers.started()
        port = server.port
        tier = make(redis_servers.url(server), timeout=20)
        tier.put("a", b"x")
        server.stop()

        again = redis_servers.started(port=port)

        assert tier.get("a") is None
        tier.put("a", b"y")
        assert tier.get("a") == b"y"
        assert tier.stats()["failures"] == 0
        again.stop()

    def test_a_server_that_is_full(self, make):
        """It refuses to write and goes on reading; that is told once and opens nothing."""
        server = redis_servers.started(config={"maxmemory-policy": "noeviction"})
        tier = make(redis_servers.url(server), timeout=20)
        tier.put("a", b"x")
        tier._connected().config_set("maxmemory", "1")

        for _ in "abc":
            tier.put("b", b"y")
            assert tier.get("a") == b"x"

        assert tier.get("b") is None
        assert (tier.stats()["refused"], tier.stats()["breaker"]) == (3, "closed")
        server.stop()


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path):
        """Files of a certificate for localhost, signed by itself, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        (tmp_path / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        (tmp_path / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *secret))
        return tmp_path / "cert.pem", tmp_path / "key.pem"

    def test_by_url(self, make, certificate):
        """A certificate that is trusted is needed; one that is not is a miss."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        proxy = redis_servers.Proxy(redis_servers.shared().port, context=context)
        trusting = make(f"rediss://localhost:{proxy.port}?ssl_ca_certs={certificate[0]}", timeout=20)
        doubting = make(f"rediss://localhost:{proxy.port}", timeout=20)

        trusting.put("a", b"x")
        doubting.put("a", b"x")

        assert trusting.get("a") == b"x"
        assert doubting.get("a") is None
        assert (trusting.failures, doubting.failures) == (0, 2)
        proxy.close()
