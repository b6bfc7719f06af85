"""The champion keeps scoring, and being judged, when the settings name another encoder for the next training."""

from pathlib import Path

import pytest

from deployment.promotion import sentiment_contender
from MLOps.inference.model_files import ADAPTER_FILE, CARD_FILE, model_digest
from MLOps.sentiment import find_base_model
from MLOps.sentiment.base_model import base_digest
from MLOps.sentiment.model_card import BaseModelRecord, LoraClassifierCard, LoraRecord
from MLOps.sentiment.scorer import LABELS
from MLOps.settings.compose import compose_settings
from MLOps.settings.score_news import ScoreNewsSettings
from pipelines.sentiment_model import choose_model as module


@pytest.fixture
def model(workspace: Path, tiny_base_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model on an encoder that a file of config/sentiment_models names, and the settings do not."""
    card = LoraClassifierCard(
        base_model=BaseModelRecord(name="former", sha256=base_digest(tiny_base_model), origin="", warnings=()),
        labels=LABELS,
        lora=LoraRecord(rank=1, alpha=1, target_modules=("query",), first_layer=0),
        pooling="mean",
        max_tokens=16,
        temperature=1,
        training_groups=(),
        provenance={},
    )
    folder, files = workspace / "mine", workspace / "config" / "sentiment_models"
    for path in (folder, files):
        path.mkdir(parents=True)
    (folder / CARD_FILE).write_text(card.model_dump_json())
    (folder / ADAPTER_FILE).write_text("weights that no test here opens")
    (files / "former.yaml").write_text(
        f"kind: folder\nname: former\nfolder: {tiny_base_model}\nnote: ''\nwarnings: []\n"
    )
    monkeypatch.setattr(find_base_model, "project_root", lambda: workspace)
    for place in (module, sentiment_contender):
        monkeypatch.setattr(place, "open_scorer", lambda _folder, _digest, base_folder, *_more: base_folder())
    return folder


def test_model_on_another_encoder_than_the_settings_name(workspace: Path, model: Path, tiny_base_model: Path) -> None:
    overrides = [f"paths.workspace={workspace}", f"model_folder={model}"]
    settings = compose_settings(ScoreNewsSettings, "score_news", overrides)
    assert settings.base_model.name != "former"
    assert str(module.choose_model(settings).open(settings)) == str(tiny_base_model)
    opened = sentiment_contender.open_contender(
        model, model_digest(model), [settings.base_model], settings.engine, settings.paths.cache
    )
    assert str(opened.scorer) == str(tiny_base_model)
