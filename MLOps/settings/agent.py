"""Settings of the agents: one model a library and algorithm, told apart by those two fields.

Hyperparameters keep the names that the library's own documentation gives them.
"""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from MLOps.settings.stage_settings import Settings

LearningRate = Annotated[float, Field(gt=0, le=1, description="Step size of the optimiser.")]
Discount = Annotated[float, Field(ge=0, le=1, description="Discount of a reward one session later.")]
BatchSize = Annotated[int, Field(ge=2, le=65_536, description="Transitions in a gradient step.")]
BufferSize = Annotated[int, Field(ge=100, le=10**7, description="Transitions that the replay buffer holds.")]
NEnvs = Annotated[int, Field(ge=1, le=65_536, description="Accounts that play at once.")]
Fraction = Annotated[float, Field(gt=0, le=1)]


class NetworkSettings(Settings):
    """The perceptron of actor and critic."""

    hidden_sizes: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        min_length=1, max_length=8, description="Units of each hidden layer."
    )
    activation: Literal["tanh", "relu", "elu", "silu"] = Field(description="After each hidden layer.")


class ReluNetworkSettings(NetworkSettings):
    """ElegantRL builds its networks with ReLU alone."""

    activation: Literal["relu"] = Field(description="After each hidden layer.")


class Sb3OnPolicy(Settings):
    """What PPO and A2C of Stable-Baselines3 share."""

    learning_rate: LearningRate
    n_envs: NEnvs
    n_steps: int = Field(ge=1, le=10**6, description="Sessions that each account plays between two updates.")
    gamma: Discount
    gae_lambda: float = Field(ge=0, le=1, description="Bias against variance in the advantage; 1 is Monte Carlo.")
    ent_coef: float = Field(ge=0, le=1, description="Weight of the entropy bonus.")
    vf_coef: float = Field(ge=0, le=10, description="Weight of the value loss.")
    max_grad_norm: float = Field(gt=0, description="Gradients are clipped to this norm.")
    normalize_advantage: bool = Field(description="Give the advantages of a batch mean 0 and deviation 1.")


class Sb3PpoHyperparameters(Sb3OnPolicy):
    """Proximal policy optimisation (Schulman et al., 2017)."""

    batch_size: BatchSize
    n_epochs: int = Field(ge=1, le=100, description="Passes over the sessions played.")
    clip_range: float = Field(gt=0, lt=1, description="How far the probability ratio may leave 1.")
    target_kl: float | None = Field(gt=0, description="An update stops at this divergence; empty means never.")

    @model_validator(mode="after")
    def _batch_fits(self) -> "Sb3PpoHyperparameters":
        if self.batch_size > self.n_envs * self.n_steps:
            raise ValueError(f"batch_size={self.batch_size} must be <= n_envs={self.n_envs} x n_steps={self.n_steps}")
        return self


class Sb3A2cHyperparameters(Sb3OnPolicy):
    """Advantage actor-critic (Mnih et al., 2016)."""

    use_rms_prop: bool = Field(description="RMSprop as in the paper; false means Adam.")
    rms_prop_eps: float = Field(gt=0, le=1, description="RMSprop's epsilon.")


class Sb3OffPolicy(Settings):
    """What DDPG, TD3 and SAC of Stable-Baselines3 share."""

    learning_rate: LearningRate
    n_envs: NEnvs
    buffer_size: BufferSize
    learning_starts: int = Field(
        ge=0, description="Random sessions, of all accounts together, before the first update."
    )
    batch_size: BatchSize
    tau: Fraction = Field(description="Share of the network that its target takes over at each update.")
    gamma: Discount
    train_freq: int = Field(ge=1, description="Sessions that each account plays between two updates.")
    gradient_steps: int = Field(ge=1, description="Gradient steps an update.")

    @model_validator(mode="after")
    def _buffer_holds_a_step(self) -> "Sb3OffPolicy":
        if self.buffer_size < self.n_envs:
            raise ValueError(f"buffer_size={self.buffer_size} must be >= n_envs={self.n_envs}")
        return self


class Sb3DdpgHyperparameters(Sb3OffPolicy):
    """Deep deterministic policy gradient (Lillicrap et al., 2015)."""

    action_noise_std: float = Field(ge=0, le=2, description="Deviation of the Gaussian exploration noise.")


class Sb3Td3Hyperparameters(Sb3DdpgHyperparameters):
    """Twin delayed DDPG (Fujimoto et al., 2018)."""

    policy_delay: int = Field(ge=1, description="Critic updates for one update of the actor.")
    target_policy_noise: float = Field(ge=0, le=2, description="Deviation of the noise on the target's action.")
    target_noise_clip: float = Field(ge=0, le=2, description="Bound of that noise.")


class Sb3SacHyperparameters(Sb3OffPolicy):
    """Soft actor-critic (Haarnoja et al., 2018)."""

    ent_coef: float | Literal["auto"] = Field(description="Weight of the entropy; auto learns it.")
    target_update_interval: int = Field(ge=1, description="Gradient steps between two updates of the target.")


class ElegantRlShared(Settings):
    """What ElegantRL's agents share."""

    learning_rate: LearningRate
    gamma: Discount
    batch_size: BatchSize
    horizon_len: int = Field(ge=2, le=10**6, description="Sessions played between two updates.")
    repeat_times: float = Field(gt=0, le=1000, description="How often each session played is learnt from.")
    clip_grad_norm: float = Field(gt=0, description="Gradients are clipped to this norm.")
    reward_scale: float = Field(gt=0, description="Factor on the environment's reward.")


class ElegantRlPpoHyperparameters(ElegantRlShared):
    """Proximal policy optimisation as ElegantRL has it."""

    ratio_clip: float = Field(gt=0, lt=1, description="How far the probability ratio may leave 1.")
    lambda_gae_adv: float = Field(ge=0, le=1, description="Bias against variance in the advantage.")
    lambda_entropy: float = Field(ge=0, le=1, description="Weight of the entropy bonus.")


class ElegantRlDdpgHyperparameters(ElegantRlShared):
    """Deep deterministic policy gradient as ElegantRL has it."""

    buffer_size: BufferSize
    soft_update_tau: Fraction = Field(description="Share of the network that its target takes over at each update.")
    explore_noise_std: float = Field(ge=0, le=2, description="Deviation of the Gaussian exploration noise.")
    warmup_steps: int = Field(ge=2, description="Random sessions before the first update.")

    @model_validator(mode="after")
    def _buffer_holds_a_horizon(self) -> "ElegantRlDdpgHyperparameters":
        if self.buffer_size <= max(self.horizon_len, self.warmup_steps):
            raise ValueError(f"buffer_size={self.buffer_size} must be > horizon_len and > warmup_steps")
        return self


class Sb3Ppo(Settings):
    """PPO of Stable-Baselines3."""

    library: Literal["sb3"] = Field(description="Library that trains.")
    algorithm: Literal["ppo"] = Field(description="Algorithm of that library.")
    network: NetworkSettings = Field(description="Actor and critic.")
    hyperparameters: Sb3PpoHyperparameters = Field(description="What a tuner may change.")


class Sb3A2c(Settings):
    """A2C of Stable-Baselines3."""

    library: Literal["sb3"] = Field(description="Library that trains.")
    algorithm: Literal["a2c"] = Field(description="Algorithm of that library.")
    network: NetworkSettings = Field(description="Actor and critic.")
    hyperparameters: Sb3A2cHyperparameters = Field(description="What a tuner may change.")


class Sb3Ddpg(Settings):
    """DDPG of Stable-Baselines3."""

    library: Literal["sb3"] = Field(description="Library that trains.")
    algorithm: Literal["ddpg"] = Field(description="Algorithm of that library.")
    network: NetworkSettings = Field(description="Actor and critic.")
    hyperparameters: Sb3DdpgHyperparameters = Field(description="What a tuner may change.")


class Sb3Td3(Settings):
    """TD3 of Stable-Baselines3."""

    library: Literal["sb3"] = Field(description="Library that trains.")
    algorithm: Literal["td3"] = Field(description="Algorithm of that library.")
    network: NetworkSettings = Field(description="Actor and critic.")
    hyperparameters: Sb3Td3Hyperparameters = Field(description="What a tuner may change.")


class Sb3Sac(Settings):
    """SAC of Stable-Baselines3."""

    library: Literal["sb3"] = Field(description="Library that trains.")
    algorithm: Literal["sac"] = Field(description="Algorithm of that library.")
    network: NetworkSettings = Field(description="Actor and critic.")
    hyperparameters: Sb3SacHyperparameters = Field(description="What a tuner may change.")


class ElegantRlPpo(Settings):
    """PPO of ElegantRL."""

    library: Literal["elegantrl"] = Field(description="Library that trains.")
    algorithm: Literal["ppo"] = Field(description="Algorithm of that library.")
    network: ReluNetworkSettings = Field(description="Actor and critic.")
    hyperparameters: ElegantRlPpoHyperparameters = Field(description="What a tuner may change.")


class ElegantRlDdpg(Settings):
    """DDPG of ElegantRL."""

    library: Literal["elegantrl"] = Field(description="Library that trains.")
    algorithm: Literal["ddpg"] = Field(description="Algorithm of that library.")
    network: ReluNetworkSettings = Field(description="Actor and critic.")
    hyperparameters: ElegantRlDdpgHyperparameters = Field(description="What a tuner may change.")


def _family(value: Any) -> str:
    def read(name: str) -> Any:
        return value.get(name) if isinstance(value, dict) else getattr(value, name, None)

    return f"{read('library')}/{read('algorithm')}"


Sb3Settings = Sb3Ppo | Sb3A2c | Sb3Ddpg | Sb3Td3 | Sb3Sac
ElegantRlSettings = ElegantRlPpo | ElegantRlDdpg
AgentSettings = Annotated[
    Annotated[Sb3Ppo, Tag("sb3/ppo")]
    | Annotated[Sb3A2c, Tag("sb3/a2c")]
    | Annotated[Sb3Ddpg, Tag("sb3/ddpg")]
    | Annotated[Sb3Td3, Tag("sb3/td3")]
    | Annotated[Sb3Sac, Tag("sb3/sac")]
    | Annotated[ElegantRlPpo, Tag("elegantrl/ppo")]
    | Annotated[ElegantRlDdpg, Tag("elegantrl/ddpg")],
    Discriminator(
        _family,
        custom_error_type="unknown_agent",
        custom_error_message="library/algorithm must be one of sb3/{ppo,a2c,ddpg,td3,sac} and elegantrl/{ppo,ddpg}",
    ),
]
