"""What axe-core finds in the page, in both colour schemes, at both sizes, in each state."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import DESKTOP, PHONE, Look


def findings(look: Look) -> list[str]:
    """Violations that are serious or critical, with the elements that have them."""
    violations: list[dict[str, Any]] = Axe().run(look.page).response["violations"]
    return [
        f"{violation['id']} ({violation['impact']}): {[node['target'] for node in violation['nodes']]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_wrong_in_any_state(
    open_page: Callable[..., Look], two_models: ServerProcess, picture: Path, scheme: str, size: tuple[int, int]
) -> None:
    # axe comes in as text, which the page's own policy rightly refuses
    look = open_page(two_models.url, size, color_scheme=scheme, bypass_csp=True).ready()
    look.find(".chip").nth(1).click()
    look.take(picture).find(".timing").nth(1).locator("strong", has_text="ms").wait_for()
    look.find("#compare").click()
    look.find("#legend label").first.click()
    look.find("summary").first.click()
    look.page.evaluate("() => document.getElementById('message').hidden = false")
    found = findings(look)
    look.page.evaluate("() => document.getElementById('key-dialog').showModal()")
    assert found + findings(look) == []


def test_the_empty_page_is_right_and_what_is_wrong_would_be_found(
    open_page: Callable[..., Look], two_models: ServerProcess
) -> None:
    look = open_page(two_models.url, bypass_csp=True).ready()
    assert findings(look) == []
    look.page.evaluate("() => document.getElementById('key-dialog').showModal()")
    look.page.evaluate("() => document.querySelector('label[for=key]').remove()")
    look.page.evaluate("() => document.documentElement.style.setProperty('--muted', '#aaaaaa')")
    assert {finding.split()[0] for finding in findings(look)} >= {"label"}
