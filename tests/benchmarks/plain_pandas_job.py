"""The signal-rate job as one writes it with pandas: same flags, metrics and log; a peer, run in its own interpreter."""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import pandas as pd
import yaml


def main() -> int:
    """Run the job; 0 if the metrics are a success."""
    parser = argparse.ArgumentParser()
    for flag in ("--input", "--config", "--output", "--log-file"):
        parser.add_argument(flag, required=True)
    given = parser.parse_args()
    logging.basicConfig(
        filename=given.log_file,
        format="%(asctime)s - %(levelname)s - %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        level=logging.INFO,
    )
    version = None
    try:
        config = yaml.safe_load(Path(given.config).read_text())
        version = config["version"]
        metrics = run(Path(given.input), config)
    except Exception as error:
        logging.exception("Job failed")
        metrics = {"version": version, "status": "error", "error_message": str(error)}
    text = json.dumps(metrics, indent=2)
    Path(given.output).write_text(text)
    sys.stdout.write(text + "\n")
    return 0 if metrics["status"] == "success" else 1


def run(source: Path, config: dict[str, object]) -> dict[str, object]:
    """The metrics of `source`, by a floating rolling mean."""
    started = time.perf_counter()
    logging.info("Job started")
    window = int(config["window"])
    logging.info("Config loaded: seed=%s, window=%d, version=%s", config["seed"], window, config["version"])
    prices = pd.read_csv(source)
    if prices.empty or "close" not in prices:
        raise ValueError("no rows, or no column close")
    logging.info("Data loaded: %d rows", len(prices))
    mean = prices["close"].rolling(window).mean()
    logging.info("Rolling mean calculated with window=%d", window)
    rate = float((prices["close"] > mean).astype(int).mean())
    logging.info("Signals generated")
    latency_ms = round(1e3 * (time.perf_counter() - started))
    logging.info("Metrics: signal_rate=%.4f, rows_processed=%d", rate, len(prices))
    logging.info("Job completed successfully in %dms", latency_ms)
    return {
        "version": config["version"],
        "rows_processed": len(prices),
        "metric": "signal_rate",
        "value": round(rate, 4),
        "latency_ms": latency_ms,
        "seed": config["seed"],
        "status": "success",
    }


if __name__ == "__main__":
    sys.exit(main())
