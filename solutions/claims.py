"""Model answers of chapter A."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from torch import Tensor


def claims_judge() -> dict[str, float]:
    """How likely is it, in your opinion, that each of these twelve statements holds as it stands?

    a  65 billion weights in four bits fit into 16 GB.
    b  From a text of 128 tokens a causal model learns at 127 positions in one pass, and BERT at about 19.
    c  With AdamW, mixed precision halves what weights, gradients and moments take.
    d  Rank 8 on query and value of BERT-base (12 layers, width 768) adds 294,912 parameters.
    e  With B = 0 and plain gradient descent, LoRA's A does not move in the first step.
    f  A patience of 3 can end a run of 3 epochs, evaluated once an epoch, before its end.
    g  A pair of rank 4 has 6,144 times fewer numbers than its matrix of 12,288 × 12,288.
    h  The counts 97, 3, 4, 96 of a test of 200 give an accuracy of 0.965.
    i  Weight decay keeps the weights near those of the pretrained model.
    j  For independent random B, A and x, the mean square of (α/√r) B A x does not depend on r.
    k  On 8 texts with 25 copies each, a classifier that answers copies alike can reach 0.965.
    l  Merging a LoRA pair into its weight changes the output by rounding only.

    Returns a dict from the letter to a probability, from 0 (surely not) to 1 (surely); 0.5 takes no side.
    """
    doubted = "acfgik"
    return {letter: 0.03 if letter in doubted else 0.97 for letter in "abcdefghijkl"}


def claims_possible_counts(reported: str, n: int) -> list[int]:
    """Which numbers of right answers, of n, could have been reported as this accuracy?

    `reported` is a text such as "0.945" or "0.9600", so that its decimals are known; it was rounded to the nearest, and at a half
    up or down: both count. Returns the counts from 0 to n that fit, rising; an empty list if there is none. Compute exactly: at a
    half, floating-point numbers decide by accident.
    """
    decimals = len(reported.partition(".")[2])
    most_that_rounding_moves = Fraction(1, 2 * 10**decimals)
    return [right for right in range(n + 1) if abs(Fraction(right, n) - Fraction(reported)) <= most_that_rounding_moves]


def claims_pooled(
    texts: Sequence[int], seconds: Sequence[float], right: Sequence[int], nats: Sequence[float], tokens: Sequence[int]
) -> tuple[float, float, float]:
    """(texts a second, accuracy, perplexity) of several runs taken together, as if they had been one.

    One entry a run in each list: how many texts it answered, in how many seconds, how many of them rightly; the summed negative
    log-likelihood of its tokens in nats, and how many tokens those were.
    """
    answered, predicted = sum(texts), sum(tokens)
    return answered / sum(seconds), sum(right) / answered, math.exp(sum(nats) / predicted)


def claims_predict_factors() -> tuple[float, float, float, float, float]:
    """Five factors, before you see them computed. Return what each quantity is divided by what it should be, or was.

    1  The gradient of one document of 50 tokens, if the 1/T of its mean is forgotten, divided by the right one.
    2  The bytes a parameter that weights, gradients and moments take in mixed precision with AdamW, divided by those in float32.
    3  The size of T² times a gradient at temperature 4, divided by that gradient without the T².
    4  Adam's first step without bias correction, divided by the one with it (β₁ = 0.9, β₂ = 0.999, ε = 0).
    5  The risk of ridge regression towards a prior when all inputs are written in units a tenth as large, so that their numbers
       are ten times as large and Δ is a tenth, divided by the risk before. The pull is chosen best in both.
    """
    without_correction = (1 - 0.9) / math.sqrt(1 - 0.999)
    return 50.0, 1.0, 16.0, without_correction, 1.0


def claims_holds_up(sample: Callable[[int], Tensor], claimed: float, margin: float) -> bool:
    """Is the mean of a quantity what is claimed? Decide by simulation, with as few draws as that takes.

    sample(n) gives n fresh draws as a tensor (n,); one claim has 3,000 of them, and asking for more raises an error. Draws are
    independent, and may be skewed. The claim is either exact, or off by `margin` or more, upwards or downwards.
    Returns True if it holds up. Of your decisions a few may be wrong; how many draws you need depends on how widely they scatter.
    """
    drawn, total, squares = 0, 0.0, 0.0
    wanted = 100
    while drawn < wanted:
        fresh = sample(min(wanted - drawn, max(100, drawn))).double()
        drawn, total, squares = drawn + len(fresh), total + float(fresh.sum()), squares + float((fresh**2).sum())
        variance = max(squares / drawn - (total / drawn) ** 2, 0.0)
        wanted = min(3000, math.ceil(36 * variance / margin**2))  # a sixth of the margin as standard error
    return abs(total / drawn - claimed) < margin / 2


def claims_refute() -> str:
    """A page says: "With rank 8 on query and value, LoRA trains 0.27 % of BERT-base. So it needs 99.7 % less memory, and since
    the pretrained weights stay as they are, nothing is forgotten." Refute it in a letter to its author, in at most 200 words.
    Say what is right in it. Correct what can be computed, with the computation. For the part that has to be measured, name the
    experiment with its control, and what outcome would have proved the author right.
    """
    return (
        "The share is right: the adapters have 294,912 numbers beside 109.5 million, 0.27 %. What does not follow is the "
        "memory. The frozen weights stay in it. In float32 with AdamW, full fine-tuning keeps 16 bytes a parameter, 1.75 GB; "
        "LoRA keeps 4 bytes for each frozen one and 16 for each trained one, 0.44 GB. That is 75 % less, not 99.7 %, and "
        "activations, which often are the larger part, come on top in both and hardly shrink.\n\nThat the weights stay as they "
        "are does not mean that the answers do: the model in use computes with W + (α/r) BA. To see whether something is "
        "forgotten, measure an old task before and after, once with the adapter active and once with it switched off; and "
        "beside it full fine-tuning that has reached the same accuracy on the new task, each with its own learning rate, over "
        "several seeds. You would be right if the old score with the adapter active were where it was before, within its "
        "interval, while full fine-tuning lost. Switched off, it is the same to the last bit, and that is what may be said: "
        "the old model can be had back at any time."
    )


def claims_choose() -> str:
    """Which team's classifier do you take, A, B or C? Correct each report as far as it can be corrected, with the computation,
    and say what it leaves out. Choose, and name the one number that you would still ask for.
    """
    return (
        "A's figure is the largest of ten. Ten epochs that are all at 0.90 would report 0.93 on average on 200 texts, so about "
        "three points have to come off, and its interval, which knows nothing of the choice, is too high.\n\n"
        "C has 50 texts in the test that it had learned. If it has them all right, it has 132 of the other 150, which is 0.88: "
        "that share is the one to compare, and it rests on 150 texts and one run.\n\n"
        "B chose its epochs on other texts, so nothing has to be taken off. Its ± is about seeds; the test texts add the "
        "interval of Wilson, and both hold for new texts of the same kind only.\n\n"
        "I take B. Its figure looks smaller than A's, and is the only one that means what it says. That B is better than A is "
        "not shown: A corrected lies inside the interval of B. So I would ask for one number: A's chosen epoch on B's texts, "
        "text by text, so that the two can be compared in pairs."
    )
