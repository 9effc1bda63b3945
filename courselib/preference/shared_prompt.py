"""A pair of responses to one prompt, read in one row: the prompt is computed once.

    prompt | chosen | rejected        the rejected response does not see the chosen one, and its positions follow the prompt's

DPO usually reads `prompt chosen` and `prompt rejected` as two rows, and computes every prompt twice, in the policy and in the
reference, forwards and backwards. A block mask makes one row of them, with the same log-probabilities: chapter 06 packs examples
in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class SharedRows:
    """Rows of `prompt chosen rejected`, padded on the right; all (pairs, seq) but the mask.

    `positions` count on from the prompt in both responses; `seen` (pairs, 1, seq, seq) is what may be attended to; `source` (n,)
    is, in the flattened batch, the position whose output predicts each token of a response, `target` (n,) that token, and `side`
    (n,) the row of 2 x pairs, first chosen then rejected, that it counts for.
    """

    ids: Tensor
    positions: Tensor
    seen: Tensor
    source: Tensor
    target: Tensor
    side: Tensor


def share_prompts(ids: Tensor, mask: Tensor, response: Tensor, pad: int = 0) -> SharedRows:
    """From rows as `PairBatches` and trl give them, (2 pairs, seq), first all chosen and then all rejected ones.

    Raises ValueError where the two rows of a pair do not begin with the same prompt.
    """
    pairs = len(ids) // 2
    ends, begins = mask.sum(1).tolist(), response.argmax(1).tolist()  # of each row
    width = max(ends[i] + ends[i + pairs] - begins[i] for i in range(pairs))
    out, positions = torch.full((pairs, width), pad), torch.zeros(pairs, width, dtype=torch.long)
    seen = torch.eye(width, dtype=torch.bool).repeat(pairs, 1, 1)  # padding sees itself, so that no row of the mask is empty
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    source, target, side = [], [], []
    for i in range(pairs):
        first, a, b = begins[i], ends[i], ends[i + pairs]
        if begins[i + pairs] != first or not torch.equal(ids[i, :first], ids[i + pairs, :first]):
            raise ValueError(f"the two rows of pair {i} begin with different prompts, so there is nothing to share.")
        end = a + b - first
        out[i, :a], out[i, a:end] = ids[i, :a], ids[i + pairs, first:b]
        positions[i, :a], positions[i, a:end] = torch.arange(a), torch.arange(first, b)
        seen[i, :end, :end] |= causal[:end, :end]
        seen[i, a:end, first:a] = False  # the rejected response does not see the chosen one
        for row, (start, length) in ((i, (first, a - first)), (i + pairs, (a, b - first))):
            before = [first - 1, *range(start, start + length - 1)]  # both first tokens are predicted from the prompt's last one
            source += [i * width + place for place in before]
            target += out[i, start : start + length].tolist()
            side += [row] * length
    return SharedRows(out, positions, seen[:, None], torch.tensor(source), torch.tensor(target), torch.tensor(side))


def shared_log_probs(model: nn.Module, rows: SharedRows) -> Tensor:
    """log p(response | prompt), (2 pairs,), chosen first: what the sums of `response_log_probs` are, in one reading of the
    prompts."""
    additive = torch.zeros(rows.seen.shape).masked_fill(~rows.seen, torch.finfo(torch.float32).min)
    hidden = model.base_model(input_ids=rows.ids, attention_mask=additive, position_ids=rows.positions).last_hidden_state
    logits = model.get_output_embeddings()(hidden.flatten(0, 1)[rows.source])  # (n, vocab)
    log_p = -F.cross_entropy(logits.float(), rows.target, reduction="none")
    return torch.zeros(2 * len(rows.ids), dtype=log_p.dtype).index_add(0, rows.side, log_p)
