"""Tests of the set-up: `.lab/python/bin/python -m unittest discover -s setup/tests -t setup`."""
