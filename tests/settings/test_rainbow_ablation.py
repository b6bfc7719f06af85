"""Each variant of the ablation leaves out its part, and nothing else."""

import pytest

from MLOps.errors import SettingsError
from MLOps.settings.compose import compose_settings
from MLOps.settings.rainbow import TrainRainbowSettings
from MLOps.settings.rainbow_ablation import AblateRainbowSettings, Variant
from MLOps.settings.stage_settings import fingerprint

SETTINGS = compose_settings(AblateRainbowSettings, "ablate_rainbow")


def changed(variant: Variant) -> dict[str, object]:
    model = SETTINGS.model_of(variant).model_dump().items()
    return {name: value for name, value in model if value != getattr(SETTINGS.model, name)}


@pytest.mark.parametrize(
    ("variant", "change"),
    [
        ("rainbow", {}),
        ("without_double", {"is_double": False}),
        ("without_dueling", {"is_dueling": False}),
        ("without_prioritized", {"is_prioritized": False}),
        ("without_categorical", {"is_categorical": False}),
        ("without_noisy", {"is_noisy": False}),
        ("without_n_step", {"n_steps": 1}),
    ],
)
def test_a_variant_leaves_out_one_part(variant: Variant, change: dict[str, object]) -> None:
    assert changed(variant) == change


def test_the_seed_of_other_trainings_does_not_enter_the_key() -> None:
    """Each file of hyperparameters/training/ brings a seed, which no training of an ablation has."""
    quick = compose_settings(AblateRainbowSettings, "ablate_rainbow", ["training=quick"])
    assert quick.training.seed == SETTINGS.training.seed == 0
    asked = compose_settings(AblateRainbowSettings, "ablate_rainbow", ["training.seed=0"])
    assert fingerprint(asked) == fingerprint(SETTINGS)
    with pytest.raises(SettingsError, match=r"training\.seed=7 must be 0: each training has one of `seeds`"):
        compose_settings(AblateRainbowSettings, "ablate_rainbow", ["training.seed=7"])


def test_plain_dqn_is_the_agent_of_its_own_file() -> None:
    dqn = compose_settings(AblateRainbowSettings, "ablate_rainbow").model_of("dqn")
    assert len(changed("dqn")) == 6
    from_file = compose_settings(TrainRainbowSettings, "train_rainbow", ["model=dqn"]).model
    assert dqn == from_file


def test_the_default_ablation_compares_all_of_them() -> None:
    assert len(SETTINGS.all_variants) == 8
