"""What a network that overflows answers: the request that made it so is refused, those in its batch are not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.serving.served_model import Origin, load_served_model
from MLOps.errors import ModelError


def test_request_whose_values_overflow_is_refused_alone(
    make_service: Callable[..., Any], make_timing_model: Callable[..., str], tmp_path: Path
) -> None:
    make_timing_model(tmp_path / "large", window_size=6, scale=1e8, is_categorical=False, atoms=1)
    service = make_service(folder=tmp_path / "large")

    async def work(client: httpx.AsyncClient) -> list[httpx.Response]:
        rows = ([[1.0] * 8], [[1.0] * 8, [1e9] * 8])
        return await asyncio.gather(*(client.post("/predict", json={"observations": given}) for given in rows))

    sound, overflows = service.run(work)
    assert sound.status_code == 200
    assert overflows.status_code == 422
    assert overflows.json()["field"] == "observations[1]"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_network_that_overflows_on_small_numbers_is_not_served(
    make_timing_model: Callable[..., str], tmp_path: Path
) -> None:
    digest = make_timing_model(tmp_path, window_size=6, scale=1e11, is_categorical=False, atoms=1)
    with pytest.raises(ModelError, match=r"the network's values of observation 0 are .*; mend: train the model again"):
        load_served_model(tmp_path, digest, Origin("large"), threads=1)
