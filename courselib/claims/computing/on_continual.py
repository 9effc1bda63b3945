"""Chapter 05's claims: replay in counts, distillation, what is isolated."""

import torch

from courselib.claims.computed import Computed, computes
from courselib.transfer.maximum_likelihood import relative_entropy


@computes("ex000-4")
def _divergence_of_three() -> Computed:
    p, q = torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0.6, 0.3, 0.1]).double()
    nats = float(relative_entropy(p, q))
    return Computed(abs(nats - 0.027) < 0.0005, {"nats": nats, "the other way round": float(relative_entropy(q, p))})
