"""A linear layer with LoRA: the pretrained weight stays frozen, a thin update beside it learns.

    h = W0 x + b + scaling * B A x        scaling = alpha / rank, or alpha / sqrt(rank) for rsLoRA

A (rank, d_in) starts random and B (d_out, rank) starts at zero, so training begins exactly at the pretrained
model. Several adapters can share one frozen weight. One of them, or none, is active.

Papers: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1;
Kalajdzievski 2023, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA" (rsLoRA),
arXiv:2312.03732.
"""

import math
import re
from numbers import Integral, Real

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LinearLoRA(nn.Module):
    """A frozen `nn.Linear` (d_out, d_in) with named LoRA adapters.

    State: `base_layer` (frozen), `lora_A` and `lora_B` (name -> bias-free `nn.Linear`, so that state_dict
    reads `lora_A.default.weight`, as in peft), `rank`, `alpha`, `rslora` and `scaling` (name -> value),
    `active` (a name, or None: then the output is the base layer's, bit for bit) and `merged` (the name of the
    adapter that is inside the weight now, or None).

    Limits: one adapter is active at a time, none is ever summed with another. An adapter is float32 beside a
    half-precision weight, otherwise it has the weight's own dtype. Only floating-point weights can be merged.
    Raises ValueError, in sentences, for what does not fit.
    """

    def __init__(
        self, base_layer: nn.Linear, rank: int = 8, alpha: float = 16, dropout: float = 0.0,
        rslora: bool = False, name: str = "default",
    ) -> None:
        super().__init__()
        if not isinstance(base_layer, nn.Linear):
            raise ValueError(f"LinearLoRA wraps an nn.Linear, and {type(base_layer).__name__} is none.")
        self.base_layer = base_layer.requires_grad_(False)
        self.lora_A, self.lora_B, self.lora_dropout = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.rank: dict[str, int] = {}
        self.alpha: dict[str, float] = {}
        self.rslora: dict[str, bool] = {}
        self.scaling: dict[str, float] = {}
        self.active: str | None = None
        self.merged: str | None = None
        self._unmerged_weight: tuple[nn.Parameter, ...] = ()  # in a tuple, so that torch does not register it
        self.add_adapter(name, rank, alpha, dropout, rslora)

    def add_adapter(
        self, name: str, rank: int = 8, alpha: float = 16, dropout: float = 0.0, rslora: bool = False
    ) -> None:
        """Adds a fresh adapter, makes it active and the only trainable one.

        A is kaiming_uniform(a = sqrt 5), uniform with standard deviation 1 / sqrt(3 d_in); B is zero. Both
        are made as peft makes them, from the same random numbers: the same seed gives the same bits.
        """
        self._check_new(name, rank, alpha, dropout)
        weight = self.base_layer.weight
        d_out, d_in = self.base_layer.out_features, self.base_layer.in_features
        lora_A = nn.Linear(d_in, rank, bias=False)  # weight (rank, d_in)
        lora_B = nn.Linear(rank, d_out, bias=False)  # weight (d_out, rank)
        nn.init.kaiming_uniform_(lora_A.weight, a=math.sqrt(5))
        nn.init.zeros_(lora_B.weight)
        dtype = weight.dtype if weight.dtype == torch.float64 else torch.float32
        self.lora_A[name] = lora_A.to(weight.device, dtype)
        self.lora_B[name] = lora_B.to(weight.device, dtype)
        self.lora_dropout[name] = nn.Dropout(dropout)
        self.rank[name], self.alpha[name], self.rslora[name] = rank, alpha, rslora
        self.scaling[name] = alpha / math.sqrt(rank) if rslora else alpha / rank
        self.train(self.base_layer.training)  # a model in eval mode stays whole in eval mode
        self.set_adapter(name)

    def set_adapter(self, name: str | None) -> None:
        """Makes one adapter active, and the only trainable one here; None switches all of them off."""
        if name is not None and name not in self.lora_A:
            raise ValueError(f"there is no adapter {name!r} in this layer; it has {', '.join(self.lora_A)}.")
        if self.merged is not None:
            raise ValueError(f"adapter {self.merged!r} is merged into the weight; unmerge before switching.")
        self.active = name
        for other in self.lora_A:
            self.lora_A[other].requires_grad_(other == name)
            self.lora_B[other].requires_grad_(other == name)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., d_in) -> (..., d_out). The update goes through the narrow middle: B A is never built."""
        if x.shape[-1] != self.base_layer.in_features:
            raise ValueError(f"expected an input of shape (..., {self.base_layer.in_features}), but "
                             f"{tuple(x.shape)} came.")
        h = self.base_layer(x)  # (..., d_out)
        if self.active is None or self.merged is not None:
            return h
        A, B = self.lora_A[self.active].weight, self.lora_B[self.active].weight
        scaling = self.scaling[self.active]
        z = F.linear(self.lora_dropout[self.active](x.to(A.dtype)), A)  # (..., rank)
        if z.dtype != h.dtype:  # a half-precision base beside a float32 adapter
            return (h + scaling * F.linear(z, B)).to(h.dtype)
        # h + scaling * z B^T in one pass: no other tensor of the size of h is made. The copy of B^T is tiny,
        # and with it autograd finds the gradient of B as z^T G, not G^T z, which costs four times as much.
        d_out, rank = B.shape
        B_T = B.T.contiguous()  # (rank, d_out)
        return torch.addmm(h.reshape(-1, d_out), z.reshape(-1, rank), B_T, alpha=scaling).view(h.shape)

    def delta_weight(self, name: str | None = None) -> Tensor:
        """scaling * B A, (d_out, d_in): what an adapter, by default the active one, adds to the weight."""
        name = self.active if name is None else name
        if name is None or name not in self.lora_A:
            raise ValueError(f"expected an adapter's name, one of {', '.join(self.lora_A)}; {name!r} came.")
        return (self.lora_B[name].weight @ self.lora_A[name].weight) * self.scaling[name]

    @torch.no_grad()
    def merge(self) -> None:
        """Puts W0 + scaling * B A in the place of W0: from now on the layer costs what a plain linear costs.

        W0 itself is kept aside, so `unmerge` brings back every bit of it. (Subtracting the update again, as
        is often done, leaves rounding errors behind.) The price is one more matrix in memory while merged.
        """
        weight = self.base_layer.weight
        if self.merged is not None:
            raise ValueError(f"adapter {self.merged!r} is merged already; merging again would add it twice.")
        if self.active is None:
            raise ValueError(f"no adapter is active, so there is nothing to merge. Activate one of "
                             f"{', '.join(self.lora_A)} with set_adapter.")
        if not weight.is_floating_point():
            raise ValueError(f"a weight of type {weight.dtype} is quantised: an update cannot be added to "
                             "its codes. Load the base model unquantised to merge.")
        merged = (weight + self.delta_weight()).to(weight.dtype)  # (d_out, d_in)
        self._unmerged_weight = (weight,)
        self.base_layer.weight = nn.Parameter(merged, requires_grad=False)
        self.merged = self.active

    @torch.no_grad()
    def unmerge(self) -> None:
        """Puts W0 back, the very same Parameter and bit for bit the same numbers."""
        if self.merged is None:
            raise ValueError("no adapter is merged into this weight, so there is nothing to take out.")
        (weight,) = self._unmerged_weight
        weight.data = weight.data.to(self.base_layer.weight)  # another device by now, perhaps
        self.base_layer.weight = weight
        self._unmerged_weight, self.merged = (), None

    def extra_repr(self) -> str:
        return f"active={self.active!r}, merged={self.merged!r}, rank={self.rank}, alpha={self.alpha}"

    def _check_new(self, name: str, rank: int, alpha: float, dropout: float) -> None:
        check_settings(rank, alpha, dropout, name)
        if name in self.lora_A:
            raise ValueError(f"there is an adapter {name!r} already. Choose another name, or switch to it.")
        if self.merged is not None:
            raise ValueError(f"adapter {self.merged!r} is merged into the weight; unmerge before adding one.")


def check_settings(rank: int, alpha: float, dropout: float, name: str) -> None:
    """Raises a ValueError that says which setting of an adapter cannot be."""
    if isinstance(rank, bool) or not isinstance(rank, Integral) or rank < 1:
        raise ValueError(f"rank should be a whole number of at least 1, but {rank!r} came.")
    if not isinstance(alpha, Real) or not 0 < alpha < math.inf:
        raise ValueError(f"alpha should be a positive number, but {alpha!r} came. Try alpha = rank.")
    if not isinstance(dropout, Real) or not 0 <= dropout < 1:
        raise ValueError(f"dropout is a probability, at least 0 and below 1, but {dropout!r} came.")
    # torch keeps a module under its name, so a dot or the name of ModuleDict's own attributes cannot be used
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name) or hasattr(nn.ModuleDict(), name):
        raise ValueError("an adapter's name should be made of letters, digits, _ and -, and be no word that "
                         f"torch needs itself, such as 'train' or 'items'; {name!r} came.")
