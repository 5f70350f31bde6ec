"""Routing table: the longest route wins, and a restarted proxy has its routes again."""

import pytest

from firstread.classroom.proxy.routes import RouteTable

HUB, ANA, BEA = "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"


def table(**options):
    routes = RouteTable(**options)
    routes.add("/", HUB, {"hub": True})
    routes.add("/user/ana", ANA, {"user": "ana"})
    routes.add("/user/ana/second", BEA, {"user": "ana"})
    return routes


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", HUB),
        ("/user/ana", ANA),
        ("/user/ana/lab", ANA),
        ("/user/%61na/lab", ANA),
        ("/user/ana/second/lab", BEA),
        ("/user/anabel/lab", HUB),
        ("/user/ana%2Fsecond", HUB),
        ("//user/ana", HUB),
        ("", HUB),
    ],
)
def test_the_longest_route_wins(path, target):
    assert table().find(path).target == target


def test_without_a_route_for_all_nothing_is_found():
    assert RouteTable().find("/") is None


def test_a_host_has_its_own_routes():
    routes = RouteTable(host_routing=True)
    routes.add("/", HUB, {"hub": True})
    routes.add("/ana.class.example/user/ana", ANA, {"user": "ana"})
    assert routes.find("/user/ana/lab", host="Ana.class.example").target == ANA
    assert routes.find("/user/ana/lab", host="bea.class.example").target == HUB
    assert routes.find("/user/bea/lab", host="ana.class.example").target == HUB
    assert {route.key for route in routes} == {"/", "/ana.class.example/user/ana"}
    assert routes.remove("/ana.class.example/user/ana/")
    assert routes.find("/user/ana/lab", host="ana.class.example").target == HUB


def test_routes_are_there_again_after_a_restart(tmp_path):
    table(file=tmp_path / "routes.json").remove("/user/ana/second")
    again = RouteTable(tmp_path / "routes.json")
    assert {route.key: route.target for route in again} == {"/": HUB, "/user/ana": ANA}
    assert again.get("/user/ana").is_participant
    assert not again.get("/").is_participant


@pytest.mark.parametrize("damage", ["", "{", '[{"path": 1}]', "[1]"])
def test_a_damaged_file_is_as_good_as_none(tmp_path, damage):
    (tmp_path / "routes.json").write_text(damage)
    assert list(RouteTable(tmp_path / "routes.json")) == []
