"""A comparison as Markdown: whole, and as a section of a document."""

from train.compare.findings import Findings
from train.compare.output.headlines import headline
from train.compare.output.record_tables import record_tables, runs
from train.compare.output.tables import main_tables
from train.compare.output.wording import CHANCE, EXPLAINED, MARKED, listed
from train.table import Table, escaped, filled, markdown


def whole(findings: Findings) -> str:
    """All tables."""
    return "\n".join([_beginning(findings, 1), *_tables([*main_tables(findings), *record_tables(findings.results)], 2)])


def section(findings: Findings) -> str:
    """What a document holds: the sentences, the main tables, and behind a click the runs that they are of."""
    hidden = markdown(runs(findings.results), 4)
    details = f"<details><summary>Runs</summary>\n\n{hidden}\n</details>\n"
    return "\n".join([_beginning(findings, 2), *_tables(main_tables(findings), 3), details])


def _beginning(findings: Findings, level: int) -> str:
    results = findings.results
    height, width = results.size
    seeds = f"seeds {listed(list(map(str, results.seeds)))}" if len(results.seeds) > 1 else f"seed {results.seeds[0]}"
    of = f"{results.dataset}: {results.val_images} images at {height} × {width}, {seeds}"
    paragraphs = [
        f"{'#' * level} {escaped(results.name)}",
        _code(results.command),
        escaped(f"On {of}. {EXPLAINED} {MARKED} {CHANCE}"),
        *(_bullets(headline(found)) for found in findings.students),
        *([_bullets(["What is not shown:", *results.notes])] if results.notes else []),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _code(text: str) -> str:
    """Indented: there is no fence that it could end."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def _bullets(sentences: list[str]) -> str:
    """The first one is what the others are about."""
    first, *others = map(escaped, sentences)
    return "\n".join([first, *([""] if others else []), *(f"- {sentence}" for sentence in others)])


def _tables(tables: list[Table], level: int) -> list[str]:
    return [markdown(table, level) for table in filled(tables)]
