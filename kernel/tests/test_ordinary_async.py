"""Cells that await. These tests need the registry of crates, for tokio."""

import pytest

from stories import Shelf, fails, prints

TOKIO = """:dep tokio = { version = "1", features = ["full"] }
let pause = std::time::Duration::from_millis(50);
let job = tokio::spawn(async move { tokio::time::sleep(pause).await; 7u8 });
println!("{}", job.await?);"""


@pytest.fixture(scope="module")
def tokio(plain_specs):
    """Kernels that have tokio."""
    shelf = Shelf(plain_specs, before=TOKIO.splitlines()[0])
    yield shelf
    shelf.close()


def test_an_async_cell_runs_twice(tokio):
    """Problem cell C3."""
    tokio.tell((TOKIO, prints("7\n")), (TOKIO, prints("7\n")))


AWAITED = {
    "a ready future": ("std::future::ready(5).await", "5"),
    "a block": ("async { kept + 1 }.await", "42"),
    "an async function": ("async fn one() -> u8 { 1 } one().await + one().await", "2"),
    "a sleep": (
        "tokio::time::sleep(std::time::Duration::from_millis(5)).await; kept",
        "41",
    ),
    "a task and its result by a question": ("tokio::spawn(async { 6 }).await?", "6"),
    "tasks that are joined": ("let (a, b) = tokio::join!(async { 1 }, async { 2 }); a + b", "3"),
    "a blocking task": ("tokio::task::spawn_blocking(|| 8).await?", "8"),
    "a time limit": (
        "tokio::time::timeout(std::time::Duration::from_millis(5), "
        "std::future::pending::<()>()).await.is_err()",
        "true",
    ),
    "an async closure": ("let f = async |x: i32| x + 1; f(2).await", "3"),
    "a question within": (
        'async { Ok::<u8, std::num::ParseIntError>("5".parse::<u8>()? + 1) }.await?',
        "6",
    ),
}


@pytest.mark.parametrize("story", AWAITED.values(), ids=AWAITED)
def test_a_cell_may_await(tokio, story):
    tokio.tell(story)


def test_a_task_lives_on_in_later_cells(tokio):
    """A channel's two ends in two cells, and a task that one cell starts and another awaits."""
    tokio.tell(
        "let (send, mut receive) = tokio::sync::mpsc::channel::<u8>(4);",
        "let job = tokio::spawn(async move { "
        "tokio::time::sleep(std::time::Duration::from_millis(300)).await; send.send(5).await });",
        ("receive.recv().await", "Some(5)"),
        ("job.await?.is_ok()", "true"),
    )


def test_an_awaited_error_is_the_cells(tokio):
    failing = 'let a = 1;\nasync { Err::<u8, &str>("later") }.await?;'
    tokio.tell(("std::future::ready(1).await", "1"), (failing, fails("later")))
