"""The tier on a server, with a real one: the contract, several processes, a cluster, leases, and who may see what."""

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
import redis_servers
from contracts.tier import TierContract

from progkit.caching import RedisTier
from progkit.caching.redis_door import public
from progkit.errors import CacheError, ConfigurationError

TOP = Path(__file__).parent.parent
LONG = 20.0
"""Seconds; nothing here is about time, and the machine may be busy."""


@pytest.fixture
def make():
    """Makes tiers of a prefix of the test's own, on the shared server, and closes them."""
    made = []
    prefix = f"test-{secrets.token_hex(4)}"

    def make(url=None, **settings):
        made.append(RedisTier(url or redis_servers.url(), **{"prefix": prefix, "timeout": LONG} | settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def client():
    """The server seen past the tier."""
    with redis.Redis.from_url(redis_servers.url()) as client:
        yield client


class TestRedisTier(TierContract):
    def make(self, tmp_path):
        return RedisTier(redis_servers.url(), prefix=f"test-{tmp_path.name}-{secrets.token_hex(4)}", timeout=LONG)


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two servers that have half of the slots each; the URL of one."""
    servers = [redis_servers.started(config={"cluster-enabled": "yes", "cluster-node-timeout": "2000"}) for _ in "ab"]
    clients = [redis.Redis(port=each.port) for each in servers]
    for number, client in enumerate(clients):
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * 8192, number * 8192 + 8191)
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", servers[1].port)
    deadline = time.monotonic() + LONG
    while any("cluster_state:ok" not in str(client.execute_command("CLUSTER", "INFO")) for client in clients) or any(
        len(client.execute_command("CLUSTER", "NODES")) < 2 for client in clients
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield redis_servers.url(servers[0])
    for client, server in zip(clients, servers, strict=True):
        client.close()
        server.stop()


class TestCluster(TierContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, cluster):
        self.url = cluster

    def make(self, tmp_path):
        return RedisTier(self.url, prefix=f"{tmp_path.name}-{secrets.token_hex(4)}", timeout=LONG, cluster=True)

    def test_many_at_once_and_leases(self, tier):
        """Keys of all servers in one go; a lease stands where its entry does."""
        for number in range(40):
            tier.put(f"{number}", b"%d" % number)

        assert tier.get_many(f"{number}" for number in range(50)) == {f"{n}": b"%d" % n for n in range(40)}
        token = tier.lease("k", LONG)
        assert tier.lease("k", LONG) is None
        tier.release("k", token)
        assert tier.lease("k", LONG) is not None
        assert tier.stats()["failures"] == tier.stats()["refused"] == 0


class TestKept:
    def test_under_the_prefix(self, make, client):
        """The name holds the key in braces: what a cluster puts in one place."""
        tier = make(prefix="p*[x]?\\")
        other = make(prefix="p-other")
        tier.put("ab12", b"x")
        other.put("cd34", b"y")

        assert client.get(b"p*[x]?\\:{ab12}:v") == b"x"
        assert (list(tier.keys()), list(other.keys())) == (["ab12"], ["cd34"])
        tier.clear()
        assert (list(tier.keys()), list(other.keys())) == ([], ["cd34"])
        other.clear()

    def test_for_a_while(self, make, client):
        """With ``ttl`` the server drops it by itself."""
        make().put("a", b"x")
        make(ttl=100).put("b", b"x")
        prefix = make().prefix

        assert client.pttl(f"{prefix}:{{a}}:v") == -1
        assert 0 < client.pttl(f"{prefix}:{{b}}:v") <= 100_000

    def test_many_at_once(self, make):
        """A thousand and more in a few goes; what is not there is left out."""
        tier = make()
        for number in range(600):
            tier.put(f"{number}", b"%d" % number)

        found = tier.get_many(f"{number}" for number in range(1200))

        assert found == {f"{number}": b"%d" % number for number in range(600)}
        assert tier.get_many([]) == {}

    def test_something_else_under_a_name(self, make, client):
        """What is no text to the server is a miss, in each way of asking; it is told once, and the server is fine."""
        tier = make()
        client.rpush(f"{tier.prefix}:{{list}}:v", "x")
        tier.put("a", b"x")

        assert [tier.get("list") for _ in "abc"] == [None] * 3
        assert tier.get_many(["list", "a"]) == {"a": b"x"}
        assert tier.stats() == {
            "entries": 1,
            "bytes": 1,
            "breaker": "closed",
            "failures": 0,
            "refused": 3,
            "skipped": 0,
        }

    def test_processes_share_it(self, make):
        """Four write at the same time; each sees what all have put, and one lease goes to one of them."""
        tier = make()
        script = """if True:
            import sys
            from progkit.caching import RedisTier
            tier = RedisTier(sys.argv[1], prefix=sys.argv[2], timeout=20)
            sys.stdin.read()
            for number in range(50):
                tier.put(f"{sys.argv[3]}-{number}", b"x")
            print(tier.lease("k", 60) is not None)
            tier.close()
            """
        command = [sys.executable, "-W", "error", "-c", script, redis_servers.url(), tier.prefix]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen([*command, str(number)], cwd=TOP, **pipes) for number in range(4)]
        for process in processes:
            process.stdin.close()
            process.stdin = None

        said = [process.communicate(timeout=60)[0] for process in processes]

        assert [process.returncode for process in processes] == [0] * 4
        assert sorted(said) == ["False\n"] * 3 + ["True\n"]
        assert tier.stats()["entries"] == 200
        tier.clear()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_a_fork(self, make):
        """A child has a connection of its own; parent and child read each their own answers."""
        tier = make()
        for number in range(20):
            tier.put(f"{number}", b"%d" % number)
        inherited = tier._client

        child = os.fork()
        if child == 0:
            try:
                found = all(tier.get(f"{number % 20}") == b"%d" % (number % 20) for number in range(500))
                os._exit(0 if found and tier._client is not inherited else 1)
            finally:
                os._exit(2)
        mine = [tier.get(f"{number % 20}") for number in range(500)]

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert mine == [b"%d" % (number % 20) for number in range(500)]

    def test_what_a_child_does_first(self, make):
        """It lets go of what it inherited, and closes none of it."""
        tier = make()
        tier.forked()
        tier.put("a", b"x")
        before = tier._client
        tier.forked()

        assert tier._client is None
        assert before.get(f"{tier.prefix}:{{a}}:v") == b"x"
        assert tier.get("a") == b"x"
        before.close()


class TestLease:
    def test_one_has_it(self, make):
        """Until it is given back, or the time is over."""
        tier, other = make(), make()
        token = tier.lease("k", LONG)

        assert (other.lease("k", LONG), other.lease("l", LONG) is None) == (None, False)
        other.release("k", "somebody's token")
        assert other.lease("k", LONG) is None
        tier.release("k", token)
        assert other.lease("k", LONG) not in (None, token)

    def test_it_ends_by_itself(self, make, client):
        """Who died with it holds up nobody for ever; given back late, it stays the next one's."""
        tier, name = make(), f"{make().prefix}:{{k}}:l"
        token = tier.lease("k", 12.5)
        assert 0 < client.pttl(name) <= 12_500
        client.delete(name)  # as time would

        other = tier.lease("k", LONG)
        tier.release("k", token)

        assert client.get(name).decode() == other

    def test_a_server_that_forgets_scripts(self, make, client):
        """Giving back works all the same."""
        tier = make()
        for _ in "ab":
            client.script_flush()
            token = tier.lease("k", LONG)
            tier.release("k", token)
        token = tier.lease("k", LONG)
        tier.release("k", token)

        assert tier.lease("k", LONG) is not None
        assert tier.stats()["refused"] == 0

    def test_it_is_no_entry(self, make):
        """Leases do not show among the keys."""
        tier = make()
        tier.lease("k", LONG)

        assert list(tier.keys()) == []
        assert tier.get("k") is None


SECRET = "s3cr3t:/@?#"
QUOTED = "s3cr3t%3A%2F%40%3F%23"


@pytest.fixture(scope="module")
def guarded():
    """A server with a password, and a user who may do what the tier does and no more."""
    server = redis_servers.started()
    with redis.Redis(port=server.port) as admin:
        commands = "+get +set +del +expire +strlen +scan +evalsha +eval"
        rule = f"on >{SECRET} ~only:* resetchannels -@all {commands}"
        admin.execute_command("ACL", "SETUSER", "app", *rule.split(" "))
        admin.config_set("requirepass", "admin-password")
    yield server
    server.stop()


class TestAccess:
    def test_a_user_with_few_rights(self, make, guarded, caplog):
        """By URL; the plain commands suffice."""
        tier = make(f"redis://app:{QUOTED}@127.0.0.1:{guarded.port}", prefix="only")
        tier.put("a", b"x")
        token = tier.lease("a", LONG)
        tier.release("a", token)

        assert tier.get("a") == b"x"
        assert tier.get_many(["a"]) == {"a": b"x"}
        assert list(tier.keys()) == ["a"]
        assert tier.delete("a")
        tier.clear()
        assert tier.stats()["refused"] == tier.stats()["failures"] == 0
        assert caplog.records == []

    def test_a_user_who_may_not(self, make, guarded, caplog):
        """Every refusal is a miss, told once."""
        tier = make(f"redis://app:{QUOTED}@127.0.0.1:{guarded.port}", prefix="others")

        for _ in "abc":
            tier.put("a", b"x")
            assert tier.get("a") is None

        assert len(caplog.records) == 1
        assert "refuses: NoPermissionError" in caplog.text
        assert SECRET not in caplog.text

    @pytest.mark.parametrize("user", [f"app:{QUOTED}-wrong@", ":not-this@", ""])
    def test_a_wrong_password(self, make, guarded, caplog, user):
        """A miss, and after two tries the server is left alone; no word about the password anywhere."""
        tier = make(f"redis://{user}127.0.0.1:{guarded.port}", prefix="only")

        assert [tier.get("a") for _ in range(100)] == [None] * 100
        with pytest.raises(CacheError) as caught:
            tier.delete("a")

        stats = tier.stats()
        assert (stats["failures"], stats["breaker"]) == (2, "open")
        for text in (caplog.text, repr(tier), str(tier), str(caught.value), str(stats)):
            assert not any(word in text for word in ("s3cr3t", "wrong", "not-this"))

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("redis://user:secret@host:1/2?password=secret", "redis://host:1/2"),
            ("rediss://:secret/with@signs@host#secret", "rediss://host"),
            ("unix://secret@/run/x.sock?password=secret", "unix:///run/x.sock"),
            ("secret", "..."),
            ("http://user:secret@host", "..."),
        ],
    )
    def test_what_is_shown_of_a_url(self, url, shown):
        """Where it leads, and nothing that could be a password."""
        assert public(url) == shown

    @pytest.mark.parametrize(
        "url",
        ["localhost:6379", "http://user:secret@localhost", "redis://:sec/ret@localhost:6379", "redis://:secret@h:port"]
        + ["redis://:secret@localhost?socket_timeout=secret", "redis://:secret@localhost?decode_responses=yes", ""],
    )
    def test_a_url_that_is_none(self, url):
        """It says what one looks like, and not what it was given; neither does what is behind the error."""
        with pytest.raises(ConfigurationError, match=r"it is redis://\[\[user") as caught:
            RedisTier(url)

        assert "sec" not in str(caught.value)
        assert caught.value.__context__ is None

    @pytest.mark.parametrize("settings", [{"timeout": 0}, {"ttl": 0}, {"timeout": -1}])
    def test_times_that_cannot_be(self, settings):
        """Zero seconds would wait for ever, or keep nothing."""
        with pytest.raises(ConfigurationError, match="seconds above 0"):
            RedisTier(redis_servers.url(), **settings)

    def test_without_the_library(self, monkeypatch):
        """The error says what to install."""
        monkeypatch.setitem(sys.modules, "redis", None)

        with pytest.raises(ConfigurationError, match=r"needs redis-py: pip install 'progkit\[redis\]'"):
            RedisTier("redis://localhost")
