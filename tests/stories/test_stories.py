"""The stories of the example programs come out as docs/STORIES.md tells them.

`WRITE_STORIES=1` in the environment writes the document anew; look at what changed.
"""

import os
import re
from importlib import import_module

import pytest

from api.documents import read_yaml
from ledger.examples import run_examples
from ledger.rules import read_document
from tests.conftest import ROOT
from tests.stories.teller import Teller

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
DOCUMENT = ROOT / "docs" / "STORIES.md"
STORIES = ["restaurant_group", "mother_and_baby"]


@pytest.mark.parametrize("name", STORIES)
def test_a_story_comes_out_as_it_is_told(service, name):
    rules = (ROOT / "docs" / "examples" / f"{name}.yaml").read_text()
    teller = Teller(service, name, rules)
    import_module(f"tests.stories.{name}").tell(teller)
    text = DOCUMENT.read_text()
    block = re.compile(rf"(<!-- {name} -->\n```text\n).*?(```\n)", re.DOTALL)
    told = "\n".join(teller.lines).strip() + "\n"
    if os.environ.get("WRITE_STORIES"):
        DOCUMENT.write_text(block.sub(lambda match: match[1] + told + match[2], text))
    found = block.search(DOCUMENT.read_text())
    assert found is not None
    assert told == found[0].removeprefix(found[1]).removesuffix(found[2])


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_every_example_of_an_example_program_holds(file):
    ran = run_examples(read_document(read_yaml(file.read_bytes())))
    assert ran
    assert [(one.name, one.mismatches) for one in ran if not one.holds] == []
