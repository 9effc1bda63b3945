"""Chapter A: wrong answers that no exercise declares."""

import math


def counts(reported, n, slack):
    decimals = len(reported.split(".")[1])
    return [k for k in range(n + 1) if abs(k / n - float(reported)) <= slack / 10**decimals]


def pooled(texts, seconds, right, nats, tokens, *, speed=None, accuracy=None, perplexity=None):
    return (
        sum(texts) / sum(seconds) if speed is None else speed,
        sum(right) / sum(texts) if accuracy is None else accuracy,
        math.exp(sum(nats) / sum(tokens)) if perplexity is None else perplexity,
    )


WRONG = {
    "claims.possible_counts": {
        "everything": lambda reported, n: list(range(n + 1)),
        "falling": lambda reported, n: counts(reported, n, 0.5)[::-1],
        "how many": lambda reported, n: [len(counts(reported, n, 0.5))],
        "wrong ones, not right ones": lambda reported, n: [n - k for k in counts(reported, n, 0.5)],
        "as shares": lambda reported, n: [k / n for k in counts(reported, n, 0.5)],
    },
    "claims.pooled": {
        "percent": lambda **i: pooled(**i, accuracy=100 * sum(i["right"]) / sum(i["texts"])),
        "seconds a text": lambda **i: pooled(**i, speed=sum(i["seconds"]) / sum(i["texts"])),
        "errors": lambda **i: pooled(**i, accuracy=1 - sum(i["right"]) / sum(i["texts"])),
        "of texts": lambda **i: pooled(**i, perplexity=math.exp(min(50, sum(i["nats"]) / sum(i["texts"])))),
        "bits": lambda **i: pooled(**i, perplexity=2 ** (sum(i["nats"]) / sum(i["tokens"]))),
        "first run": lambda **i: pooled(**{name: values[:1] for name, values in i.items()}),
        "tokens a second": lambda **i: pooled(**i, speed=sum(i["tokens"]) / sum(i["seconds"])),
    },
    "claims.predict_factors": {
        "all ones": lambda: (1.0,) * 5,
        "upside down": lambda: (1 / 50, 1.0, 1 / 16, 10**-0.5, 1.0),
        "percent": lambda: (5000.0, 100.0, 1600.0, 316.2, 100.0),
        "doubled": lambda: (100.0, 2.0, 32.0, 2 * 10**0.5, 2.0),
        "negative": lambda: (-50.0, -1.0, -16.0, -(10**0.5), -1.0),
    },
}
