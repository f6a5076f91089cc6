"""Every command of ``kilnworks``. Nothing heavy is imported before a command needs it."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from types import FrameType
from typing import Annotated, Any

import typer
from typer._click.exceptions import ClickException

from kilnworks.pipelines.cli import inspect, live, prune, running, serving
from kilnworks.pipelines.cli.architectures import architectures
from kilnworks.pipelines.cli.console import Console, name_store, safe
from kilnworks.pipelines.cli.contract import contract_app
from kilnworks.pipelines.cli.craft.compress import compress
from kilnworks.pipelines.cli.craft.crossval import crossval
from kilnworks.pipelines.cli.craft.diagnose import diagnose_command
from kilnworks.pipelines.cli.craft.explain import explain
from kilnworks.pipelines.cli.craft.lr_find import lr_find
from kilnworks.pipelines.cli.drift import drift
from kilnworks.pipelines.cli.init import init
from kilnworks.pipelines.cli.landed import landed
from kilnworks.pipelines.cli.metrics import metrics
from kilnworks.pipelines.cli.new import new
from kilnworks.pipelines.cli.tracking import mlflow
from kilnworks.pipelines.cli.tune import tune
from kilnworks.schemas.crashes import show_crashes
from kilnworks.schemas.errors import EXIT_INTERRUPTED, KilnworksError, StepSkipped
from kilnworks.schemas.extras import missing_extra

app = typer.Typer(
    name="kilnworks",
    help="Raw data in; a guarded, explained, served Keras model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _options(
    show_traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error was raised.")] = False,
) -> None:
    os.environ["KILNWORKS_TRACEBACK"] = "1" if show_traceback else os.environ.get("KILNWORKS_TRACEBACK", "")


app.command("init")(init)
app.command("new")(new)
app.command("list")(inspect.list_pipelines)
app.command("show")(inspect.show)
app.command("architectures")(architectures)
app.command("run")(running.run)
app.command("step")(running.step)
app.command("finish")(running.finish)
app.command("tune")(tune)
app.command("crossval")(crossval)
app.command("diagnose")(diagnose_command)
app.command("lr-find")(lr_find)
app.command("compare")(live.compare)
app.command("compress")(compress)
app.command("promote")(live.promote)
app.command("rollback")(live.rollback)
app.command("landed")(landed)
app.command("runs")(inspect.runs)
app.command("report")(inspect.report)
app.command("predict")(serving.predict)
app.command("explain")(explain)
app.command("drift")(drift)
app.command("load")(serving.load)
app.command("serve", context_settings=serving.PASS_THROUGH, add_help_option=False)(serving.serve)
app.command("doctor")(inspect.doctor)
app.command("metrics")(metrics)
app.command("mlflow")(mlflow)
app.command("prune")(prune.prune_store)
app.add_typer(serving.serving_app, name="serving")
app.add_typer(contract_app, name="contract")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 usage, 99 skipped, 130 interrupted."""
    show_crashes()
    signal.signal(signal.SIGTERM, _interrupt)
    errors = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    words = list(sys.argv[1:] if argv is None else argv)
    name_store(None)
    try:
        result = _commands()(args=words, standalone_mode=False)
    except StepSkipped as error:
        errors.print(f"skipped: {error}")
        return error.exit_code
    except KilnworksError as error:
        return _say(errors, error)
    except ModuleNotFoundError as error:
        missing = missing_extra(error, f"kilnworks {_command(words)}".strip())
        if missing is None:
            raise
        return _say(errors, missing)
    except ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort) as error:
        if isinstance(error.__cause__, EOFError):  # of a reader, not of a person who types
            raise error.__cause__ from None
        errors.print("interrupted")
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


@cache
def _commands() -> Callable[..., Any]:
    """The parser of all commands, made once for a process."""
    return typer.main.get_command(app)


def _say(errors: Console, error: KilnworksError) -> int:
    if os.environ.get("KILNWORKS_TRACEBACK"):
        sys.stderr.write(safe(traceback.format_exc()))
    errors.print(f"{type(error).__name__}: {error}", style="red")
    return error.exit_code


def _command(words: Sequence[str]) -> str:
    """The command among the words of a line: ``serve``, ``contract infer``."""
    plain = [word for word in words if not word.startswith("-")]
    return " ".join(plain[: 2 if plain[:1] and plain[0] in ("contract", "serving") else 1])


def _interrupt(_: int, __: FrameType | None) -> None:
    """SIGTERM ends a run the way Ctrl-C does: the step is recorded as failed, scratch is removed."""
    raise KeyboardInterrupt
