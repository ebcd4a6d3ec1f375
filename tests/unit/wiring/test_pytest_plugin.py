"""The pytest plugin, used as other people's tests use it."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

_TESTS = """
import json
import time
import urllib.error
import urllib.request

import pytest

V = "/services/data/v62.0"
seen = []


def call(org, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {org.access_token()}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(org.url + V + path, data, headers, method=method)) as reply:
        return json.loads(reply.read() or b"null")


def count(org):
    return call(org, "GET", "/query?q=SELECT+COUNT()+FROM+Account")["totalSize"]


@pytest.mark.parametrize("turn", range(3))
def test_every_test_has_its_own_org(orgbridge_org, turn):
    assert count(orgbridge_org) == 0
    call(orgbridge_org, "POST", "/sobjects/Account", {"Name": "x"})
    assert count(orgbridge_org) == 1
    assert orgbridge_org.url not in seen
    seen.append(orgbridge_org.url)


@pytest.mark.orgbridge(seed="sample", daily_api_requests=3)
def test_the_marker_says_what_the_org_is_like(orgbridge_org):
    assert count(orgbridge_org) == 20
    for _ in range(2):
        count(orgbridge_org)
    with pytest.raises(urllib.error.HTTPError) as caught:
        count(orgbridge_org)
    assert caught.value.code == 403
    caught.value.close()


def test_the_controls(orgbridge_org):
    control = orgbridge_org.control
    control.snapshot("empty")
    assert control.seed(accounts=5, number=3)["Account"] == 5
    control.branch("other")
    control.restore("empty")
    assert count(orgbridge_org) == 0
    control.branch("main")
    assert count(orgbridge_org) == 5
    control.fault("unavailable", times=1)
    with pytest.raises(urllib.error.HTTPError) as caught:
        count(orgbridge_org)
    caught.value.close()
    assert control.faults()[0]["hits"] == 1
    control.clear_faults()
    assert [one["status"] for one in control.requests(path="/query")][-1] == 503
    control.clear_requests()
    assert control.requests() == []
    assert control.clock(advance_seconds=3600)["ahead_seconds"] > 3599
    control.reset()
    assert count(orgbridge_org) == 0
    assert control.stats()["api_calls"] == 1
    with pytest.raises(Exception, match="no snapshot 'x'"):
        control.restore("x")


def test_two_orgs_of_one_test(orgbridge_org, orgbridge_host):
    with orgbridge_host.org() as other:
        call(other, "POST", "/sobjects/Account", {"Name": "x"})
        assert (count(orgbridge_org), count(other)) == (0, 1)


def test_an_org_takes_milliseconds(orgbridge_host):
    with orgbridge_host.org():
        pass
    times = []
    for _ in range(5):
        started = time.perf_counter()
        with orgbridge_host.org() as org:
            assert org.control.ask("GET", "health") == {"status": "ok"}
        times.append(time.perf_counter() - started)
    assert min(times) < 0.5
"""


def test_the_fixture_gives_every_test_an_org_of_its_own(pytester: pytest.Pytester) -> None:
    """Orgs share nothing, are what the marker says, obey their controls, and open quickly."""
    pytester.makepyfile(_TESTS)
    installed = any(point.value == "orgbridge.wiring.pytest_plugin" for point in entry_points(group="pytest11"))
    options = [] if installed else ["-p", "orgbridge.wiring.pytest_plugin"]
    result = pytester.runpytest_inprocess(
        *options, "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--strict-markers"
    )
    result.assert_outcomes(passed=7)
