"""The page as files: small, kept by browsers, allowed to run nothing but itself."""

import httpx
import pytest

from serve.page import PAGE
from serve.page.site import FILES
from tests.serve.conftest import ServerProcess


@pytest.fixture(scope="module", params=sorted(PAGE.paths))
def answer(request: pytest.FixtureRequest, server: ServerProcess) -> httpx.Response:
    return server.client.get(request.param)


def test_all_of_it_is_less_than_100_kb(server: ServerProcess) -> None:
    sizes = {path: len(server.client.get(path).content) for path in PAGE.paths}
    assert sum(sizes.values()) < 100_000, sizes
    assert len(sizes) == len(list(FILES.iterdir())) > 10


def test_each_file_may_load_from_its_own_server_only(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert not any("unsafe" in sources or "http" in sources or "*" in sources for sources in policy.values())
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "camera=(self), microphone=()" in answer.headers["permissions-policy"]


def test_a_browser_that_has_it_gets_it_only_when_it_has_changed(answer: httpx.Response, server: ServerProcess) -> None:
    path, etag = answer.url.path, answer.headers["etag"]
    again = server.client.get(path, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert server.client.get(path, headers={"If-None-Match": '"other"'}).content == answer.content
    assert answer.headers["cache-control"] == "no-cache"


def test_a_file_is_named_for_what_it_is(server: ServerProcess) -> None:
    kinds = {path.rpartition(".")[2]: server.client.head(path).headers["content-type"] for path in PAGE.paths}
    assert {kind: kinds[kind].split(";")[0] for kind in ("js", "css", "svg", "/")} == {
        "js": "text/javascript",
        "css": "text/css",
        "svg": "image/svg+xml",
        "/": "text/html",
    }


def test_there_is_nothing_else_below_it(server: ServerProcess) -> None:
    for path in ("/page/", "/page/site.py", "/page/../site.py", "/page/%2e%2e/site.py", "/page/main.js/"):
        assert httpx.get(f"{server.url}{path}").status_code == 404, path


def test_the_page_has_no_script_and_no_style_of_its_own(server: ServerProcess) -> None:
    page = server.client.get("/").text
    assert "style=" not in page
    assert "<style" not in page
    assert "onclick" not in page
    assert page.count("<script") == page.count('<script type="module" src="page/')
