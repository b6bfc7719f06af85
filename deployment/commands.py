"""Buy-timing, buy a coin now or wait: train a model, use it, take it away, serve it.

    python deployment/commands.py train --crypto BTC
    python deployment/commands.py infer --data_path bars.parquet --output_path decisions.csv
    python deployment/commands.py export_onnx --model_path models/crypto_timing/btc/latest
    python deployment/commands.py serve --model_path trained_models/BTC_777 --port 5000

Each command starts stages (config/orchestration/stages.yaml) as processes and ends with their exit status. Paths are
read from the working directory. A command ends with one line of JSON, or on a terminal with a few lines to read.
`<command> --help` tells what each flag means there.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from deployment.command_line.crypto_commands import COMMANDS, coins
from deployment.command_line.stage_command import StageEndedError
from experiment_tracking.runner import set_up_logging, told_failure
from MLOps.errors import SettingsError
from MLOps.settings.secret_values import masked


@dataclass(frozen=True)
class Help:
    """What a newcomer reads of a command.

    Attributes
    ----------
    summary : str
        One line.
    told : str
        What it does, and what there is afterwards.
    example : str
        A command line.
    settings : str
        YAML with the keys that ``--overrides`` can set.
    flags : mapping of str to str
        What each flag means here; a flag that is not named does nothing here, and is refused.
    """

    summary: str
    told: str
    example: str
    settings: str
    flags: Mapping[str, str]


_BARS = "bars (.parquet), or your own pickled DataFrame (.pkl), which is read as data and never run"
_COIN = "BTC (by the hour, bought once a day) or ETH (by the day, bought once a week); default "
_MODEL = "model folder or trained_models/<COIN>_<seed>; default: the registry's champion"
HELP: Mapping[str, Help] = {
    "train": Help(
        summary="train a model, export it and show what it buys",
        told="""Trains a Rainbow agent on the past prices of a coin, registers the model, puts the files to take away
into trained_models/<COIN>_<seed>/ and a page with its purchases, savings and learning curve into
plots/<COIN>_<seed>/report.html. The page says whether the model found an edge; most often there is none. Another
model's files in these two places are replaced, and a line says so; models/ keeps every model. --overrides
training=quick is a try of seconds. The whole way to a champion: run_strategy crypto_timing, or crypto_timing_eth.
Prices come first: python pipelines/data_ingestion/ingest_crypto_bars.py --symbol BTC, or your own by --data_path.""",
        example="python deployment/commands.py train --crypto BTC --overrides training.num_frames=100000",
        settings="train_rainbow",
        flags={
            "crypto": f"{_COIN}BTC",
            "data_path": f"{_BARS}; default: the newest that were ingested",
            "model_path": "where model folders are written; default models/crypto_timing",
            "output_path": "where <COIN>_<seed>/ is put; default trained_models",
        },
    ),
    "infer": Help(
        summary="write a model's decisions over a file of prices",
        told="""Goes through the prices cycle by cycle and writes a CSV: time, price, action (1 buys, 0 holds), q_hold
and q_buy (what the model expects of each), and where in its cycle the decision lies. The last line is the newest.
A file of observations (.npy, .json) gets one line for each.""",
        example="python deployment/commands.py infer --crypto BTC --model_path trained_models/BTC_777 "
        "--output_path decisions.csv",
        settings="infer_crypto_timing",
        flags={
            "model_path": _MODEL,
            "data_path": f"{_BARS}, or observations (.npy, .json); default: the newest bars that were ingested",
            "crypto": f"{_COIN}that of the model folder, else BTC",
            "output_path": "CSV to write; default: reports/crypto_decisions alone",
        },
    ),
    "export_onnx": Help(
        summary="make files that run elsewhere with NumPy and ONNX Runtime alone",
        told="""Writes trained_models/<COIN>_<seed>/: the network as ONNX in float32 and int8, a predictor of one file,
settings and digests. The networks are tried on real observations first.""",
        example="python deployment/commands.py export_onnx --crypto BTC --model_path models/crypto_timing/btc/latest",
        settings="export_crypto_model",
        flags={
            "model_path": "model folder; default: the registry's champion",
            "data_path": f"what the networks are tried on: {_BARS}, or observations (.npy); default: the newest bars",
            "crypto": f"{_COIN}that of the model folder, else BTC",
            "output_path": "where <COIN>_<seed>/ is put; default trained_models",
        },
    ),
    "serve": Help(
        summary="answer over HTTP until it is ended",
        told="""Answers POST /predict {"observations": [[...], ...]} on 127.0.0.1; http://127.0.0.1:5000/docs explains
the rest. Without --model_path it serves the registry's champion and follows it as it changes. Ctrl-C ends it.""",
        example="python deployment/commands.py serve --model_path trained_models/BTC_777 --port 5000",
        settings="serve_crypto_model",
        flags={
            "model_path": _MODEL,
            "crypto": "refuse a model of another coin; default: any",
            "port": "port to listen on; default 5000",
        },
    ),
}


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are settings errors like any other."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(masked(message), mend=f"the command line; {self.prog} --help explains it")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="commands.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, help_of in HELP.items():
        command = commands.add_parser(
            name,
            help=help_of.summary,
            description=help_of.told,
            epilog=f"example:\n  {help_of.example}\n\nkeys for --overrides: config/stages/{help_of.settings}.yaml",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for flag, told in help_of.flags.items():
            command.add_argument(f"--{flag}", metavar=flag.upper(), help=told, **_kind(flag))
        command.add_argument(
            "--overrides", nargs="*", default=[], metavar="key=value", help="settings that lie over the YAML"
        )
    return parser


def _kind(flag: str) -> dict[str, Any]:
    """What argparse makes of a flag's value."""
    if flag == "crypto":
        return {"type": str.upper, "choices": coins()}
    return {"type": Path} if flag.endswith("_path") else {}


def main(argv: Sequence[str] | None = None) -> int:
    """Start what the command line asks for; returns the exit status."""
    set_up_logging()
    try:
        given = build_parser().parse_args(argv)
        return COMMANDS[given.command](given)
    except StageEndedError as ended:  # it has told why
        return ended.exit_status
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the edge, the same as that of the stages
        line, status = told_failure("commands.py", None, error)
        sys.stderr.write(f"{line}\n")
        return status


if __name__ == "__main__":
    sys.exit(main())
