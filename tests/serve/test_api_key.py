"""API keys: who comes in, who does not, and where keys come from."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from serve.api_key import ENVIRONMENT, ApiKey, api_keys
from serve.problem import MEDIA_TYPE
from tests.serve.asgi_server import serving
from train.errors import UserError

KEYS = frozenset({"0123456789abcdef", "another-key-of-somebody"})


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(ApiKey(PlainTextResponse("in"), KEYS)) as client:
        yield client


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_key_opens_in_either_header(client: httpx.Client, key: str) -> None:
    for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer {key}"}, {"X-API-Key": key}):
        assert client.get("/segment", headers=headers).text == "in"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "0123456789abcde"},
        {"X-API-Key": "0123456789abcdef0"},
        {"Authorization": "0123456789abcdef"},
        {"Authorization": "Basic 0123456789abcdef"},
        {"Authorization": "Bearer"},
    ],
    ids=str,
)
def test_anything_else_is_401(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.get("/segment", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["type"] == "urn:segdistill:problem:unauthorized"
    assert "0123456789" not in answer.text


def test_probes_and_the_page_need_no_key_and_nothing_looks_like_them(client: httpx.Client) -> None:
    for path in ("/healthz", "/readyz", "/", "/page/main.js"):
        assert client.get(path).text == "in"
    for path in ("/healthz/", "//healthz", "/healthz/../segment", "/%68ealthz/x", "/page/", "/page/../segment", "//"):
        assert client.get(f"{client.base_url}{path}").status_code == 401, path


def test_keys_come_from_a_file_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text("# of the robots\n0123456789abcdef\n\n  fedcba9876543210  \n")
    assert api_keys(file) == {"0123456789abcdef", "fedcba9876543210"}
    monkeypatch.setenv(ENVIRONMENT, "of-the-environment-1,of-the-environment-2")
    assert api_keys(None) == {"of-the-environment-1", "of-the-environment-2"}
    assert len(api_keys(file)) == 4


def test_no_key_anywhere_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert api_keys(None) == frozenset()


@pytest.mark.parametrize(
    "content", ["", "# nothing\n", "tiny\n", "sixteen characters \x7f\n", "k\u00e9y-of-somebody\n"]
)
def test_a_file_without_good_keys_is_refused_and_not_repeated(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as refused:
        api_keys(file)
    assert "\n" not in str(refused.value)
    assert not content.strip() or content.strip() not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent: cannot read API keys"):
        api_keys(tmp_path / "absent")
