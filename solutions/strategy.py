"""Model answers of chapter 12."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def strategy_hyperparameters() -> dict:
    """Where you would begin to fine-tune BERT-base, all of it, with AdamW, on a classification task of some thousand texts.

    Returns a dict with five numbers: `learning_rate` (the peak), `batch_size`, `warmup_share` (of all steps, 0 to 1),
    `weight_decay` (torch's convention) and `epochs`.
    """
    return {"learning_rate": 3e-5, "batch_size": 32, "warmup_share": 0.06, "weight_decay": 0.01, "epochs": 3}


def strategy_paired_interval(right_a: Tensor, right_b: Tensor, z: float) -> tuple[float, float]:
    """By how much model A's accuracy is above model B's, and the half-width of its interval, where both answered the same
    texts.

    right_a, right_b: (n,), True where the model was right about that text.   z: the quantile, 1.96 for 95 %.
    The interval is about texts like these: the standard deviation is that of a sample (n - 1). Returns (difference,
    half-width), as shares of 1.
    """
    difference = right_a.double() - right_b.double()  # 1, 0 or -1 for each text
    return difference.mean().item(), z * difference.std().item() / math.sqrt(len(difference))


def strategy_predict_widening(correlation: float) -> float:
    """How many times as wide as the paired interval is the unpaired one?

    Two methods are run with the same seeds. Their scores spread equally from seed to seed, and the scores of one seed have this
    correlation, below 1. The same quantile is taken for both intervals. 1.0 means: as wide.
    """
    return 1 / math.sqrt(1 - correlation)


def strategy_corrected(p_values: Tensor) -> Tensor:
    """P-values corrected for their number by Holm's method, in the order in which they came.

    p_values: (m,).   The smallest counts m times, the next m - 1 times, and so on; none may come out below one that was smaller
    before, and none above 1. So those that are at most 0.05 afterwards may be called differences, at a chance of at most 5 %
    that any of them is none. Returns (m,).
    """
    order = p_values.argsort()
    steps = p_values[order] * torch.arange(len(p_values), 0, -1)
    corrected = torch.empty_like(p_values)
    corrected[order] = steps.cummax(0).values.clamp(max=1.0)
    return corrected


def strategy_find_leak(train: list, test: list, n: int) -> Tensor:
    """How much of each test text stands in the training texts, word for word.

    train, test: lists of texts.   Words are what `text.lower().split()` gives, without any of .,!? at their ends. A run is n
    words that follow one another in one text. Returns, for each test text, the share of its runs (a run that comes twice
    counts twice) that are a run of some training text: (len(test),), and 0 for a text that is shorter than n words.
    """

    def runs(text: str) -> list[tuple[str, ...]]:
        words = [word.strip(".,!?") for word in text.lower().split()]
        return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]

    known = {run for text in train for run in runs(text)}
    shares = []
    for text in test:
        found = [run in known for run in runs(text)]
        shares.append(sum(found) / len(found) if found else 0.0)
    return torch.tensor(shares)


def strategy_mend_choice(log_p: Tensor, lengths: Tensor, asked: int) -> int:
    """Which of several answers a language model finds likeliest for each of their tokens. The chapter shows a version that is
    wrong.

    log_p: (choices, seq), the log-probability of each token of question and answer, given those before it.   The first `asked`
    tokens of each row are the question; `lengths`, (choices,), says how many tokens of the row count, question included: what
    comes after them is padding. Returns the number of the row whose answer has the highest mean log-probability a token.
    """
    place = torch.arange(log_p.shape[1])
    answer = (place >= asked) & (place < lengths[:, None])  # (choices, seq)
    return int(((log_p * answer).sum(1) / answer.sum(1)).argmax())


def strategy_choose(
    accuracy: Tensor, lost: Tensor, memory: Tensor, stored: Tensor, tasks: int, limits: Tensor, margin: float, t: float
) -> int:
    """Which of several methods to take. Returns its number, or -1 where none is allowed.

    accuracy, lost: (methods, seeds), on validation data: what it reaches on the new task, and how much of the old ones it
    loses, as shares of 1.   memory, stored: (methods,), GB to train it, and GB to keep for each task.   limits: (3,), the
    most memory, the most that may be stored for all `tasks` together, and the most that may be lost, as a mean over the
    seeds. A method at a limit is allowed.

    Of those allowed, the one with the best mean accuracy is the favourite. Take the one that stores least among those that
    are as good as it is: seed by seed, the whole interval of their difference to the favourite, mean ± t · s / √seeds (s with
    n - 1), lies above -margin. The favourite itself is always as good.
    """
    allowed = (memory <= limits[0]) & (tasks * stored <= limits[1]) & (lost.mean(1) <= limits[2])
    if not allowed.any():
        return -1
    favourite = int(torch.where(allowed, accuracy.mean(1), -torch.inf).argmax())
    difference = accuracy - accuracy[favourite]  # (methods, seeds)
    low = difference.mean(1) - t * difference.std(1) / math.sqrt(accuracy.shape[1])
    return int(torch.where(allowed & (low > -margin), stored, torch.inf).argmin())


def strategy_scenarios() -> str:
    """Decide three projects. For each: what you would run first, what beside it as a control, the number that would make you
    change your mind, and what you would *not* do although it is often advised. Cite measurements of this course. Ten to
    fifteen sentences.

    A: a hospital has 400 labelled letters, 50,000 unlabelled ones, one GPU with 24 GB, and words that no general model knows.
    B: an assistant of 7 billion parameters is to answer in the tone of a firm. There are 800 examples of its letters. Its
    refusals and its arithmetic have to stay as they are.
    C: a shop has 60 classifiers, one a customer, 300 labels each, and a server with one 16 GB card.
    """
    return """
A: words first. Half of what the letters say is in words without a label, so I continue pretraining on the 50,000 and
fine-tune then; in the capstone that made the difference between guessing and nearly all, and in chapter 03 domain perplexity
fell by nine tenths. The control is the same fine-tuning without the unlabelled text, on five splits, in pairs; if its
interval holds zero I drop the pretraining. Memory decides nothing for an encoder of a hundred million (1.8 GB of 24). I would
not go by the rule that 400 labels mean prompts only, and test letters come from other patients than training letters, or I
measure memory.
B: LoRA on all linear layers in 4 bits, since 7 billion parameters with AdamW take 112 GB; chapter 10's loss against LoRA in
full precision was below a point. The second axis is measured from the first day: arithmetic and refusals before and after, on
the same prompts, because LoRA by itself forgets no less at equal gain (chapter 08). I mix in general examples, which in
chapter 03 removed most of the forgetting. The control is the base with a good prompt; if the paired interval of preference
against it holds zero, there is nothing to train. I would not train for more epochs because the loss still falls.
C: one frozen encoder and 60 adapters, or 60 heads: full copies would be 26 GB of files and a swap for each request. The
control is a linear probe on the same vectors for all 60, as it costs nothing, and full fine-tuning for five of them, each
with its own rate. With 300 labels a single split says little: I pool the 60 paired differences, correct for several
comparisons, and take the adapter only where it is ahead by more than a margin set before. I would not choose the rank or the
rate customer by customer.
"""


def strategy_medical() -> str:
    """A team took BERT-base, fine-tuned it on 2,000 labelled radiology reports for three epochs at 3e-4, and reports 99 % on
    a random tenth of them, against 91 % for last year's model on last year's test set. In use it does badly, and the general
    questions it used to answer have become worse.

    Name four things that may be wrong. For each: the measurement that would show it, with its control, and what you would
    change. Eight to twelve sentences.
    """
    return """
First, a leak: reports of one patient, or copies of one template, lie on both sides of a random split. Runs of words that test
and training share show it, with reports from another hospital as the control; split by patient and hospital. Second, the
comparison: two models on two test sets cannot be compared. Run both on one set and take the paired interval over its reports.
Third, the rate: 3e-4 is LoRA's or a head's, six times the usual range for all of BERT; in chapter 02 ten times the best rate
cost twenty points. Try 2e-5 to 5e-5 over five seeds with a validation split. Fourth, the words: clinical terms fall into many
pieces that the base has hardly seen. Count pieces a word against general text, and continue pretraining on unlabelled
reports; the control is the same fine-tuning without it. Fifth, forgetting: measure the general questions before and after, at
each checkpoint, mix general examples in, and lower the rate. One number on one axis showed none of these.
"""


def strategy_capstone(
    model: Callable, labelled: Tensor, labels: Tensor, unlabelled: Tensor, old: Tensor, most_numbers: int, most_bytes: int
) -> dict:
    """Adapt a base model to a world that it has never seen, and return the changes to its weights.

    labelled: (200, 12), texts of the new world, and labels: (200,), 0 or 1. They use half of its words only.
    unlabelled: (1500, 12), texts of the new world, in all its words.   old: (600, 12), texts of the old world, without labels.

    `model(ids, task, changes)` gives logits, (n, classes): for the task "topic" or "feeling", which it does well in the old
    world; for "new", whose head is zero; for "word", over all tokens, for the one hidden in each text, where `ids` is 0.
    Gradients reach `changes`, and nothing else is trained. `model.weights` are the weights by name, in this order: old_words,
    new_words, pair, pair_bias, deep, deep_bias, guess, and for each task its head (topic, feeling, new) and the head's bias.

    changes: a dict from names of weights to a tensor of the same shape, which is added, or, for a matrix, to a pair (B, A) of
    rank at most 16, whose product B @ A is added. The changes stand in the model whatever is asked of it.

    The judge puts them into the model and measures accuracy on new texts in all words of the new world, and on old texts in
    both old tasks. Not more than `most_numbers` numbers may differ from zero, and they may take `most_bytes`: a zero takes
    none, a number that half precision (float16) holds exactly takes 2, any other 4. You have 30 seconds of processor time.
    """
    n, length = unlabelled.shape
    rank, hidden = 4, model.weights["deep"].shape[1]
    words = torch.zeros_like(model.weights["new_words"], requires_grad=True)
    pair = torch.zeros(hidden, rank, requires_grad=True), (torch.randn(rank, hidden) / hidden**0.5).requires_grad_()
    head, bias = (torch.zeros_like(model.weights[name], requires_grad=True) for name in ("new", "new_bias"))

    def minimise(loss: Callable, trained: list, steps: int) -> None:
        optimizer = torch.optim.Adam(trained, lr=0.01)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            schedule.step()

    def hidden_word() -> Tensor:
        rows, place = torch.randint(n, (64,)), torch.randint(length, (64, 1))
        texts = unlabelled[rows]
        guesses = model(texts.scatter(1, place, 0), "word", {"new_words": words})
        return F.cross_entropy(guesses, texts.gather(1, place).squeeze(1))

    minimise(hidden_word, [words], 1200)  # what the new words mean, without a label
    changes = {"new_words": words.detach(), "deep": pair, "new": head, "new_bias": bias}
    with torch.no_grad():
        before = {task: model(old, task).softmax(-1) for task in ("topic", "feeling")}

    def new_and_old() -> Tensor:
        rows, past = torch.randint(len(labels), (32,)), torch.randint(len(old), (32,))
        loss = F.cross_entropy(model(labelled[rows], "new", changes), labels[rows])
        return loss + sum(F.cross_entropy(model(old[past], task, changes), said[past]) for task, said in before.items())

    minimise(new_and_old, [*pair, head, bias], 400)
    changes["deep"] = tuple(half.detach().half() for half in pair)
    return changes | {name: changes[name].detach().half() for name in ("new_words", "new", "new_bias")}
