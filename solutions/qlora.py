"""Model answers of chapter 10. Weights are stored (d_out, d_in) as torch does, and are quantised row by row."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def qlora_lloyd_max_step(levels: Tensor, samples: Tensor) -> Tensor:
    """One step of Lloyd's iteration: every sample goes to its nearest level, then every level moves to the mean of the samples
    that went to it. A level to which no sample went stays where it is.

    levels: (k,), rising.   samples: (n,).   Returns the new levels, (k,).
    """
    nearest = (samples[:, None] - levels[None, :]).abs().argmin(dim=1)  # (n,)
    moved = levels.clone()
    for place in range(len(levels)):
        mine = samples[nearest == place]
        if len(mine):
            moved[place] = mine.mean()
    return moved


def qlora_nf4_levels() -> Tensor:
    """The sixteen levels of NF4, rising, from -1 to 1, with 0 among them: seven below it and eight above it.

    With d = 0.9677083 and Φ⁻¹ the quantile function of the normal distribution (`torch.special.ndtri`): the positive levels are
    Φ⁻¹ at 9 equally spaced probabilities from d to 1/2, without the 1/2; the negative ones are minus Φ⁻¹ at 8 of them, again
    without the 1/2. All are divided by the largest. Returns (16,).
    """
    d = 0.9677083
    positive = torch.special.ndtri(torch.linspace(d, 0.5, 9, dtype=torch.float64)[:8])
    negative = -torch.special.ndtri(torch.linspace(d, 0.5, 8, dtype=torch.float64)[:7])
    together = torch.cat([negative, torch.zeros(1, dtype=torch.float64), positive])
    return together.sort().values / together.max()


def qlora_quantize(w: Tensor, levels: Tensor, block_size: int) -> tuple[Tensor, Tensor]:
    """Quantises weights in blocks: each block is divided by its largest absolute weight, and each quotient becomes the place of
    the level that is nearest to it.

    w: (n,), where n is a multiple of block_size.   levels: (k,), rising, from -1 to 1.
    Returns (codes, absmax): whole numbers of shape (n,), and one constant a block, (n / block_size,). In a block of zeros the
    constant is 0, and the codes are those of the level nearest to 0.
    """
    blocks = w.reshape(-1, block_size)
    absmax = blocks.abs().max(dim=1).values
    divisor = torch.where(absmax == 0, 1.0, absmax)
    quotients = blocks / divisor[:, None]
    codes = (quotients[:, :, None] - levels).abs().argmin(dim=2)
    return codes.reshape(-1), absmax


def qlora_dequantize(codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int) -> Tensor:
    """The weights that codes and constants stand for.

    codes: (n,), whole numbers.   absmax: (n / block_size,).   levels: (k,).   Returns (n,).
    """
    constants = absmax.repeat_interleave(block_size)  # (n,), each for its whole block
    return levels[codes.long()] * constants


def qlora_pack(codes: Tensor) -> Tensor:
    """Puts two 4-bit codes into each byte, the first one in the high half.

    codes: (n,), whole numbers from 0 to 15, n even.   Returns (n / 2,), whole numbers from 0 to 255.
    """
    high, low = codes[0::2], codes[1::2]
    return high * 16 + low


def qlora_shared_scale(block: Tensor) -> float:
    """The scale of a block in MXFP4: a power of two, by the rule of the specification. block: (32,), not all zero."""
    return 2.0 ** (math.floor(math.log2(float(block.abs().max()))) - 2)


def qlora_bits_per_parameter(block_size: int, second_block_size: int | None) -> float:
    """How many bits a 4-bit weight takes when its block's constant is counted with it.

    Without double quantisation (`second_block_size` is None) the constant of a block is a float32. With it the constant has
    8 bits, and so many of these 8-bit constants share one float32. (The mean that is taken off them is not counted.)
    """
    if second_block_size is None:
        return 4 + 32 / block_size
    return 4 + (8 + 32 / second_block_size) / block_size


def qlora_fit_levels(weights: Tensor, block_size: int, count: int) -> Tensor:
    """Sixteen numbers of your own: `count` levels from -1 to 1, rising, with which weights *like these* lose less than with NF4.

    weights: (n,), a sample; they will be quantised in blocks of `block_size`, as in qlora.quantize, so every level is multiplied
    by the largest absolute weight of a block. What counts is the mean squared error on other weights from the same source.
    Returns (count,).
    """
    blocks = weights.reshape(-1, block_size)
    absmax = blocks.abs().max(dim=1, keepdim=True).values.clamp_min(1e-12)
    ratio = (blocks / absmax).reshape(-1)
    counts = absmax.square().expand_as(blocks).reshape(-1)  # an error in a block of large weights weighs its square
    levels = torch.quantile(ratio, (torch.arange(count) + 0.5) / count)
    levels[0], levels[-1] = -1.0, 1.0
    for _ in range(60):
        nearest = torch.bucketize(ratio, (levels[1:] + levels[:-1]) / 2)
        weight = torch.zeros(count).index_add_(0, nearest, counts)
        centre = torch.zeros(count).index_add_(0, nearest, counts * ratio) / weight.clamp_min(1e-12)
        levels = torch.where(weight > 0, centre, levels).clamp(-1, 1)
    return levels.sort().values


def qlora_forward(
    x: Tensor, codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int, lora_A: Tensor, lora_B: Tensor, alpha: float
) -> Tensor:
    """The output of a linear layer whose frozen weight is quantised, with a LoRA pair beside it.

    x: (..., d_in).   codes: (d_out · d_in,), the weight's codes row by row.   absmax: one constant for each block of codes.
    levels: (k,).   lora_A: (r, d_in).   lora_B: (d_out, r).   The scale of the pair is alpha / r.   Returns (..., d_out).
    """
    frozen = (levels[codes.long()].reshape(-1, block_size) * absmax[:, None]).reshape(lora_B.shape[0], lora_A.shape[1])
    scale = alpha / lora_A.shape[0]
    return x @ frozen.T + scale * (x @ lora_A.T) @ lora_B.T


def qlora_backward(
    x: Tensor, grad_h: Tensor, W: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The backward pass of a QLoRA layer, by hand: what the layer below and the pair need. No autograd.

    x: (n, d_in), the layer's input.   grad_h: (n, d_out), the gradient of the loss with respect to its output.
    W: (d_out, d_in), the frozen weight, dequantised.   lora_A: (r, d_in).   lora_B: (d_out, r).   The scale is alpha / r.
    Returns (grad_x, grad_A, grad_B), each in the shape of what it belongs to. Sum over the rows, do not average.
    """
    scale = alpha / lora_A.shape[0]
    through = grad_h @ lora_B  # (n, r)
    grad_x = grad_h @ W + scale * through @ lora_A
    return grad_x, scale * through.T @ x, scale * grad_h.T @ (x @ lora_A.T)


def qlora_requantize(
    codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int, lora_A: Tensor, lora_B: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Merges a LoRA pair into a quantised weight, and quantises the sum again.

    codes: (d_out · d_in,), row by row.   absmax: one constant for each block.   levels: (k,), rising.   lora_A: (r, d_in).
    lora_B: (d_out, r).   The scale is alpha / r.   No block of the sum is all zero. Returns the new
    (codes, absmax), in the shapes of the old ones.
    """
    merged = (levels[codes.long()].reshape(-1, block_size) * absmax[:, None]).reshape(lora_B.shape[0], lora_A.shape[1])
    merged = (merged + alpha / lora_A.shape[0] * lora_B @ lora_A).reshape(-1, block_size)
    largest = merged.abs().max(dim=1).values
    places = (merged[:, :, None] / largest[:, None, None] - levels).abs().argmin(dim=2)
    return places.reshape(-1), largest


def qlora_accumulated_loss(token_losses: list[Tensor]) -> float:
    """The loss that one large batch would have had, from the small batches it was cut into.

    token_losses: for each small batch the losses of its tokens, (tokens,). They differ in length. The loss of the large batch is
    the mean over all its tokens.
    """
    total = sum(float(losses.sum()) for losses in token_losses)
    return total / sum(losses.numel() for losses in token_losses)


def qlora_static_memory(parameters: int, weight_bits: float, trained: int) -> float:
    """The memory, in GB of 10^9 bytes, that a fine-tuning occupies before any activation is stored.

    The model's `parameters` are frozen and take `weight_bits` bits each. Beside them there are `trained` parameters of adapters,
    at 16 bytes each: float32, its gradient, and two moments.
    """
    frozen = parameters * weight_bits / 8
    return (frozen + 16 * trained) / 1e9


def qlora_predict_growth(item: str, knob: str, factor: float) -> float:
    """By which factor does `item` grow when `knob` is multiplied by `factor` and all else stays? Commit yourself; then measure.

    item: "frozen weights", "adapter and its optimiser", "kept activations" or "attention scores" (a table of n × n numbers for
    each head, where a library keeps one).   knob: "batch", "length" (n tokens), "rank" or "bits" (of a frozen weight).
    Constants and small terms do not count: the activations of a LoRA of small rank do not depend on the rank.
    """
    powers = {
        "frozen weights": {"bits": 1},
        "adapter and its optimiser": {"rank": 1},
        "kept activations": {"batch": 1, "length": 1},
        "attention scores": {"batch": 1, "length": 2},
    }
    return factor ** powers[item].get(knob, 0)


def qlora_choose(memory: list[float], seconds: list[float], gaps: Tensor, card: float, t: float, margin: float) -> int:
    """Which way of training to take, from measurements: the fastest that fits on the card and is as good as the reference.

    memory: GB, one number for each way.   seconds: one for each.   gaps: (ways, seeds), accuracy minus the reference's, seed by
    seed. A way is as good if its whole interval, the mean over the seeds ± t · s / √n with s divided by n - 1, lies above
    -margin. Returns the place of the way, or -1 if there is none.
    """
    half = t * gaps.std(dim=1) / math.sqrt(gaps.shape[1])
    low = gaps.mean(dim=1) - half
    possible = [i for i in range(len(memory)) if memory[i] <= card and low[i] > -margin]
    return min(possible, key=lambda i: seconds[i], default=-1)


def qlora_pager(capacity: int) -> Callable[[list[int]], int]:
    """A page table: optimiser state that lies in the main memory, and a card that holds at most `capacity` pages of it.

    Returns a function that takes the pages that are touched, one after another, and returns how many of these had to be fetched.
    A page that is on the card need not be fetched. Where there is no room, the page goes that was touched longest ago. The
    card is empty before the first call and keeps its pages from one call to the next.
    """
    held: list[int] = []  # the one touched longest ago first

    def touch(pages: list[int]) -> int:
        fetched = 0
        for page in pages:
            if page in held:
                held.remove(page)
            else:
                fetched += 1
                del held[: max(0, len(held) - capacity + 1)]
            held.append(page)
        return fetched

    return touch


def qlora_more_memory() -> str:
    """A friend writes: "I have moved from LoRA to QLoRA, with the same batch, and the peak has hardly fallen. With checkpointing
    off it is even *higher* than what others report for LoRA with checkpointing. Is QLoRA a fraud?" Their model is small, the
    batch large and the texts long.

    Answer in five to eight sentences: what of the peak do four bits shrink, and what not? What does QLoRA add? What should your
    friend look at first, and which two or three switches would you try, in which order? Lean on numbers of this chapter.
    """
    return """
Four bits shrink one item of the peak only, the frozen weights: from 16 to 4.127 bits with double quantisation, so to about a
quarter. Gradients and moments are those of the adapters, and are as small with LoRA as with QLoRA. The activations that are kept
for the backward pass do not know in how many bits the weight is stored; they grow with batch and length, and for a small model
with long texts they are most of the peak, as the bars of section 9 show. QLoRA adds something as well: every layer's weight is
dequantised when it is used, so a copy of the largest one in 16 bits comes and goes, and takes time, forward and backward.
So look first at what the peak consists of. Then switch on checkpointing, which keeps a layer's input only and computes the rest
again, at the price of about a third more arithmetic; then take a smaller batch and accumulate gradients, weighted by tokens;
then shorten or pack the texts. Only when the weights are the largest bar is QLoRA the right lever; there it is worth what it
promises.
"""
