"""Fixtures: the kernel without and with the library, and shelves of kernels for stories."""

import pytest

from notebook import Notebook, install
from stories import Shelf

# Those that take longest are begun first: none of them is left over when all others have ended.
LONGEST = ("interrupts", "survival", "keys", "ordinary_async", "resumed_training", "many_kernels")


def pytest_collection_modifyitems(items):
    def place(item):
        name = item.path.stem.removeprefix("test_")
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session")
def plain_specs(tmp_path_factory):
    """A kernelspec that names no library."""
    return install(tmp_path_factory.mktemp("plain"), home=None)


@pytest.fixture(scope="session")
def specs(tmp_path_factory):
    """The kernelspec as it is installed for the notebooks."""
    return install(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def plain(plain_specs):
    with Notebook(plain_specs) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def composer(specs):
    with Notebook(specs) as notebook:
        yield notebook


@pytest.fixture(scope="module")
def shelf(plain_specs):
    """The module's kernels without the library, for stories."""
    shelf = Shelf(plain_specs)
    yield shelf
    shelf.close()


@pytest.fixture
def own(plain_specs, tmp_path):
    """A kernel of the test's own, in a folder of its own."""
    shelf = Shelf(plain_specs, cwd=str(tmp_path))
    yield shelf
    shelf.close()
