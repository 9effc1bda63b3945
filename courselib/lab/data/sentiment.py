"""Short reviews, generated: two classes, and a test set whose words of praise and blame were never trained on.

A model that has only memorised "superb means positive" is lost when the test says "stunning". To get that right
it has to know, from pretraining, that the two mean nearly the same. So accuracy on the test split measures
transfer, and nothing else: no sentiment word and no sentence frame occurs in two splits, nor do relatives
("delight" and "delightful" are kept together). What the reviews are about (films, soups, phones) is shared.
There are three splits: "train" to learn from, "validation" to choose learning rates on, "test" to report.

There are no negations. "Not terrible" is neither praise nor blame, and every label here is beyond doubt.
"""

from __future__ import annotations

import random
from itertools import product

# What is reviewed, and what one can say of its parts.
THINGS = {
    ("film", "movie", "comedy"): ("acting", "plot", "ending", "music"),
    ("restaurant", "cafe", "bistro"): ("soup", "pasta", "dessert", "coffee"),
    ("hotel", "hostel", "resort"): ("bed", "breakfast", "shower", "reception"),
    ("phone", "tablet", "laptop"): ("screen", "battery", "keyboard", "camera"),
    ("novel", "memoir", "book"): ("dialogue", "story", "opening", "prose"),
    ("shop", "bakery", "market"): ("service", "selection", "parking", "advice"),
    ("app", "game", "website"): ("design", "tutorial", "layout", "search"),
    ("car", "van", "scooter"): ("seat", "heating", "steering", "engine"),
    ("museum", "gallery", "exhibition"): ("lighting", "guide", "catalogue", "tour"),
}

# Sentence frames. {adjective}, {verb} (we do it to the thing), {effect} (it does it to us) and {noun} carry the
# sentiment; every frame has exactly one of them. "{a}" is the article that fits the word after it.
FRAMES = {
    "train": (
        "The {part} in this {thing} was {adjective}.",
        "What {a} {adjective} {thing}!",
        "I found the {part} {adjective}.",
        "Overall, {a} {adjective} {thing}.",
        "My friends and I {verb} this {thing}.",
        "The {thing} turned out to be {a} {noun}.",
        "This {thing} {effect} all of us.",
        "We thought the {part} was {adjective}.",
    ),
    "validation": (
        "No doubt about it, this is {a} {adjective} {thing}.",
        "A friend called the {part} {adjective}.",
        "His {thing} with the new {part} looked {adjective}.",
        "Everyone I know {verb} their {thing}.",
        "Some {thing}: it was {a} {noun}.",
        "With that {part}, the {thing} {effect} me.",
    ),
    "test": (
        "Honestly, that {thing} seems {adjective} to me.",
        "How {adjective} the {part} is here.",
        "Never before have I seen such {a} {adjective} {thing}.",
        "Its {part} felt {adjective} from the start.",
        "My sister {verb} that {thing} too.",
        "In short, their {thing} is {a} {noun}.",
        "Even the {part} {effect} my whole family.",
        "That is {a} {adjective} {thing}, if you ask anyone.",
    ),
}

WORDS = {
    ("train", "positive"): {
        "adjective": (
            "wonderful superb excellent delightful charming brilliant lovely splendid fantastic pleasant marvellous "
            "enjoyable terrific impressive beautiful magnificent outstanding refreshing satisfying admirable "
            "fabulous glorious perfect pleasing inspiring praiseworthy"
        ),
        "verb": "enjoyed loved admired treasured praised",
        "effect": "delighted charmed thrilled impressed enchanted inspired pleased",
        "noun": "delight joy triumph masterpiece treat marvel treasure",
    },
    ("train", "negative"): {
        "adjective": (
            "terrible awful boring disappointing dreadful poor dull annoying bad horrible mediocre horrid lousy "
            "shoddy unpleasant frustrating miserable deplorable useless pathetic tiresome sloppy irritating ugly "
            "pitiful depressing"
        ),
        "verb": "hated regretted criticised endured dreaded",
        "effect": "bored annoyed disappointed irritated frustrated depressed saddened",
        "noun": "disappointment bore failure disgrace nuisance flop letdown",
    },
    ("validation", "positive"): {
        "adjective": (
            "grand tremendous exciting magical ideal radiant stylish polished graceful engaging vibrant entertaining "
            "lively tasteful cosy uplifting"
        ),
        "verb": "appreciated valued favoured",
        "effect": "amused cheered excited entertained",
        "noun": "dream highlight bargain gift",
    },
    ("validation", "negative"): {
        "adjective": (
            "dire rubbish grim unacceptable repulsive foul obnoxious dodgy pointless defective substandard tacky "
            "monotonous laughable intolerable senseless"
        ),
        "verb": "abhorred scorned cursed",
        "effect": "offended exasperated enraged bothered",
        "noun": "farce ordeal blunder eyesore",
    },
    ("test", "positive"): {
        "adjective": (
            "amazing great stunning exquisite gorgeous awesome remarkable exceptional phenomenal spectacular "
            "breathtaking flawless sublime incredible good nice stellar dazzling captivating heavenly memorable "
            "astonishing sensational appealing divine fascinating"
        ),
        "verb": "adored cherished liked recommended applauded",
        "effect": "amazed dazzled captivated astonished fascinated wowed stunned",
        "noun": "gem hit winner blessing jewel success sensation",
    },
    ("test", "negative"): {
        "adjective": (
            "appalling atrocious abysmal disgusting hideous ghastly nasty inferior inadequate weak worthless "
            "ridiculous unbearable insulting hopeless disastrous gloomy messy revolting vile rotten shabby lame "
            "bland woeful wretched"
        ),
        "verb": "disliked loathed despised detested resented",
        "effect": "disgusted appalled insulted upset angered dismayed infuriated",
        "noun": "disaster mess shambles fiasco nightmare catastrophe insult",
    },
}


def sentences(n: int, split: str, seed: int = 0) -> tuple[list[str], list[int]]:
    """`n` different reviews and their labels (1 praise, 0 blame), in random order.

    Half of them are positive (one more, if `n` is odd), and each class uses the split's frames equally often, so
    that a frame tells nothing about the label. The same `n`, `split` and `seed` give the same reviews anywhere.

    Raises ValueError for an unknown split, and for an `n` below 1 or beyond what the grammar can make.
    """
    _known(split)
    rng = random.Random(f"sentiment {split} {seed}")
    pools = {label: by_frame(split, label) for label in ("positive", "negative")}
    most = 2 * min(sum(map(len, frames)) for frames in pools.values())
    if not 1 <= n <= most:
        raise ValueError(f"The grammar can make 1 to {most} different sentences for {split!r}; {n} were asked for.")
    examples = []
    for label, count in (("positive", n - n // 2), ("negative", n // 2)):
        chosen = _round_robin([rng.sample(pool, len(pool)) for pool in pools[label]], count)
        examples += [(text, int(label == "positive")) for text in chosen]
    rng.shuffle(examples)
    texts, labels = zip(*examples, strict=True)
    return list(texts), list(labels)


def vocabulary(split: str) -> dict[str, set[str]]:
    """What only this split uses: its "positive" words, its "negative" words and its "frames".

    Every sentence of the split holds exactly one of these words. Raises ValueError for an unknown split.
    """
    _known(split)
    words = {label: set(" ".join(WORDS[split, label].values()).split()) for label in ("positive", "negative")}
    return words | {"frames": set(FRAMES[split])}


def by_frame(split: str, label: str) -> list[list[str]]:
    """Every sentence of a class: one list for each frame of the split."""
    words = WORDS[split, label]
    return [
        [
            _fill(frame, slot, word, thing, part)
            for slot in words
            if f"{{{slot}}}" in frame
            for word in words[slot].split()
            for thing, part in _pairs(frame)
        ]
        for frame in FRAMES[split]
    ]


def _pairs(frame: str) -> list[tuple[str, str]]:
    """The (thing, part) choices a frame can tell apart: all pairs, or one for each if it names only one of them."""
    pairs = [pair for things, parts in THINGS.items() for pair in product(things, parts)]
    if "{part}" not in frame:
        return list({thing: (thing, part) for thing, part in pairs}.values())
    if "{thing}" not in frame:
        return list({part: (thing, part) for thing, part in pairs}.values())
    return pairs


def _fill(frame: str, slot: str, word: str, thing: str, part: str) -> str:
    article = "an" if word[0] in "aeiou" and not word.startswith("use") else "a"  # "an ugly", but "a useless"
    return frame.format(**{slot: word}, a=article, thing=thing, part=part)


def _round_robin(pools: list[list[str]], count: int) -> list[str]:
    """The first `count` items, taken from the pools in turn; an exhausted pool is passed over."""
    taken = []
    depth = 0
    while len(taken) < count:
        taken += [pool[depth] for pool in pools if depth < len(pool)]
        depth += 1
    return taken[:count]


def _known(split: str) -> None:
    if split not in FRAMES:
        raise ValueError(f"There is no split {split!r}; sentences come from 'train', 'validation' or 'test'.")
