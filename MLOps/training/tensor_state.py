"""States of NumPy as states of torch, which a checkpoint holds without pickled code."""

from typing import Any

import numpy as np
import torch


def as_tensors(state: Any) -> Any:
    """A copy of nested mappings and sequences in which each array is a tensor; numbers of NumPy become plain ones."""
    if isinstance(state, np.ndarray):
        return torch.from_numpy(state.copy())
    if isinstance(state, np.generic):
        return state.item()
    if isinstance(state, dict):
        return {key: as_tensors(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(as_tensors(value) for value in state)
    return state
