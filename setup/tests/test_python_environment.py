import unittest

from locations import CHECKOUT
from progress import StepFailed
from python_environment import python_is_accepted, read_environment

EXAMPLE = """\
name: example
dependencies:
  - python>=3.11,<3.15  # as tested
  - pip
  - rust>=1.95
  - pip:
      - jupyterlab==4.6.6
      # a remark
      - nbclient==0.11.0  # another
  - alsa-lib
"""


class EnvironmentFile(unittest.TestCase):
    def test_python_and_pip_list_are_read_and_conda_packages_left_to_conda(self):
        requirement, packages = read_environment(EXAMPLE)
        self.assertEqual(requirement, ">=3.11,<3.15")
        self.assertEqual(packages, ["jupyterlab==4.6.6", "nbclient==0.11.0"])

    def test_an_unpinned_package_is_refused_with_its_line(self):
        with self.assertRaisesRegex(StepFailed, "line 7.*name==version.*`jupyterlab>=4`"):
            read_environment(EXAMPLE.replace("jupyterlab==4.6.6", "jupyterlab>=4"))

    def test_a_file_without_a_pip_list_is_refused(self):
        with self.assertRaisesRegex(StepFailed, "pip"):
            read_environment("dependencies:\n  - python>=3.11\n")

    def test_this_projects_file_is_understood(self):
        _, packages = read_environment((CHECKOUT / "environment.yml").read_text(encoding="utf-8"))
        names = {package.split("==")[0] for package in packages}
        self.assertLessEqual({"jupyterlab", "nbclient", "nbconvert"}, names)

    def test_requirements_on_python(self):
        for version, accepted in [((3, 10), False), ((3, 11), True), ((3, 14), True)]:
            self.assertEqual(python_is_accepted(">=3.11,<3.15", version), accepted, version)
        self.assertFalse(python_is_accepted(">=3.11,<3.15", (3, 15)))
        self.assertFalse(python_is_accepted(">=3.11,<3.15", (4, 0)))


if __name__ == "__main__":
    unittest.main()
