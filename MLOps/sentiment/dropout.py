"""Dropout whose random numbers cost a third of torch's: four states share one draw of 64 bits.

Source: Srivastava et al. (2014), https://jmlr.org/papers/v15/srivastava14a.html, in its inverted form.
"""

import torch
from torch import nn

_LEVELS = 2**16
_SHARED = 4
"""16-bit numbers in a draw."""


class SharedDrawDropout(nn.Dropout):
    """As ``nn.Dropout``, with another stream of torch's global generator; `p` is met to 1 / 65536."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States of any shape; each is dropped with chance `p`, and the others grow by 1 / (1 - p)."""
        if not self.training or self.p == 0:
            return states
        size = states.numel()
        draws = torch.empty(-(-size // _SHARED), dtype=torch.int64).random_(-(2**63), None)
        levels = draws.view(torch.int16)[:size].view(states.shape)  # uniform in -32768..32767
        is_kept = levels >= min(round(self.p * _LEVELS), _LEVELS - 1) - _LEVELS // 2  # the highest is always kept
        return states * is_kept.to(states.dtype).mul_(1 / (1 - self.p))


def share_draws(network: nn.Module) -> None:
    """Put `SharedDrawDropout` in the place of every plain dropout below `network`."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, SharedDrawDropout(child.p))
