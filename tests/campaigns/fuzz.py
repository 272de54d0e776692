"""Every fuzz target for some minutes, one after the other, and a table of what came of it.

    python3 tests/campaigns/fuzz.py --minutes 30 --only wav --only mp4

Needs a nightly toolchain and cargo-fuzz (`fuzz/README.md`). What is found stays in
`fuzz/artifacts`, what was learned in `--work`, which a later run goes on from. The exit status is 0
when nothing was found. The seeded sample that `./test` runs is `tests/fuzz_corpus.rs`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FUZZ = CHECKOUT / "fuzz"
SECONDS_FOR_ONE_INPUT = 10
MEGABYTES = 2048
#: Longer inputs than the seeds learn nothing more and take longer.
LONGEST_INPUT = 32768


def targets():
    return sorted(path.stem for path in (FUZZ / "fuzz_targets").glob("*.rs"))


def cargo_fuzz(*arguments, **options):
    command = ["cargo", "+nightly", "fuzz", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, check=False, text=True, **options)


def numbers(log):
    """Executions, edges and features covered, as libFuzzer's last lines say."""
    executions = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log)
    steps = re.findall(r"^#(\d+)\s+\w+.*?cov: (\d+) ft: (\d+)", log, re.MULTILINE)
    count = executions[-1] if executions else (steps[-1][0] if steps else "0")
    return (int(count), *(int(number) for number in (steps[-1][1:] if steps else (0, 0))))


def run(target, minutes, work):
    """Fuzzes one target, going on after a finding, and returns a row of the table."""
    learned, kept = work / target, FUZZ / "artifacts" / target
    learned.mkdir(parents=True, exist_ok=True)
    before = set(kept.glob("*"))
    deadline = time.monotonic() + 60 * minutes
    executions, covered, features, log = 0, 0, 0, work / f"{target}.log"
    log.write_text("", encoding="utf-8")
    while (left := int(deadline - time.monotonic())) > 0:
        limits = [
            f"-max_total_time={left}",
            f"-timeout={SECONDS_FOR_ONE_INPUT}",
            f"-rss_limit_mb={MEGABYTES}",
            f"-max_len={LONGEST_INPUT}",
            "-print_final_stats=1",
        ]
        places = [target, learned, FUZZ / "corpus" / target]
        done = cargo_fuzz("run", *places, "--", *limits, stderr=subprocess.PIPE, errors="replace")
        with log.open("a", encoding="utf-8") as whole:
            whole.write(done.stderr)
        count, edges, found = numbers(done.stderr)
        executions += count
        covered, features = max(covered, edges), max(features, found)
        if done.returncode == 0 or count == 0:
            break
    found = sorted(path.name for path in set(kept.glob("*")) - before)
    if executions == 0:
        found.append(f"it did not run, see {log}")
    return target, executions, covered, features, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30, help="for each target")
    parser.add_argument("--only", action="append", choices=targets(), help="a target, or several")
    parser.add_argument("--work", type=Path, help="what was learned, from run to run")
    chosen = parser.parse_args()
    if cargo_fuzz("build").returncode != 0:
        sys.exit("the targets could not be built: see fuzz/README.md")
    os.environ.setdefault("CARGO_TERM_COLOR", "never")
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        work = (chosen.work or Path(folder)).resolve()
        for target in chosen.only or targets():
            rows.append(run(target, chosen.minutes, work))
            _, executions, *_, found = rows[-1]
            print(f"{target}: {executions:,} executions, {len(found)} findings", flush=True)
    print(f"\n| target | executions | edges | features | findings |\n|---|{'---:|' * 4}")
    for target, executions, covered, features, found in rows:
        names = f" ({', '.join(found)})" if found else ""
        print(f"| {target} | {executions:,} | {covered:,} | {features:,} | {len(found)}{names} |")
    return any(found for *_, found in rows)


if __name__ == "__main__":
    sys.exit(main())
