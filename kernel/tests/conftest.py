"""Fixtures: the kernel without and with the library."""

import pytest

from notebook import Notebook, install


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
