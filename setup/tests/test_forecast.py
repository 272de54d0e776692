"""What is said of how long compiling still takes."""

import unittest

from forecast import Forecast, about

EVEN = Forecast([share / 10 for share in range(11)], 100)


class Forecasts(unittest.TestCase):
    def test_the_measured_time_holds_until_something_can_be_told(self):
        self.assertEqual(EVEN.left(0, 200, 0), 100)
        self.assertEqual(EVEN.left(2, 200, 30), 70)
        self.assertEqual(EVEN.left(0, 200, 500), 0)

    def test_then_it_is_how_fast_it_went_here(self):
        self.assertAlmostEqual(EVEN.left(100, 200, 400), 400)
        self.assertAlmostEqual(EVEN.left(150, 200, 300), 100)
        self.assertAlmostEqual(EVEN.left(200, 200, 300), 0)

    def test_crates_that_come_last_may_take_longest(self):
        late = Forecast([0, 0.02, 0.05, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.25, 0.5], 100)
        self.assertAlmostEqual(late.left(199, 200, 50), 50, delta=10)
        self.assertGreater(late.left(100, 200, 50), 190)

    def test_more_crates_than_announced_are_no_fault(self):
        self.assertEqual(EVEN.left(7, 0, 0), 100)
        self.assertAlmostEqual(EVEN.left(300, 200, 50), 0)

    def test_cargo_and_the_kernel_are_understood(self):
        self.assertEqual(
            EVEN.words("    Building [=====>   ] 100/200: syn, serde(build)", 120),
            "100 of 200 crates, about 2 minutes left",
        )
        words = EVEN.words("building the library for notebooks: 12/24, candle-core", 10)
        self.assertEqual(words, "12 of 24 crates, less than a minute left")
        for other in ("   Compiling syn v2.0.1", "warning: unused", ""):
            self.assertEqual(EVEN.words(other, 3), "")

    def test_times_are_said_as_people_do(self):
        self.assertEqual(
            [about(seconds) for seconds in (0, 20, 40, 110, 3000)],
            ["less than a minute"] * 2 + ["about 1 minute", "about 2 minutes", "about 50 minutes"],
        )
