"""`python -m courselib.lab.data.worlds`: the exact figures of every world, and a text of each."""

from courselib.lab.data.grammar import kl
from courselib.lab.data.worlds import NAMES, PROSE, SPLITS, world

print(f"{'world':<13}{'split':<7}{'nats/text':>10}{'tokens/text':>13}{'nats/token':>12}{'words':>8}")
for name in NAMES:
    for split in SPLITS:
        g = world(name).grammar(split)
        chosen = (pair for rule in g.uses for pair in zip(g.probabilities[rule], g.rules[rule], strict=True))
        used = {piece for p, option in chosen if p for piece in option}
        print(f"{name:<13}{split:<7}{g.entropy():>10.4f}{g.length():>13.4f}{g.entropy('token'):>12.4f}{len(used & g.words):>8}")

print("\nKL(row || column), nats per token of the row (training split)\n" + " " * 13 + "".join(f"{q:>12}" for q in PROSE))
for p in PROSE:
    print(f"{p:<13}" + "".join(f"{kl(world(p).grammar(), world(q).grammar(), 'token'):>12.4f}" for q in PROSE))

for name in NAMES:
    print(f"\n{name}: {world(name).texts(1, seed=1)[0]}")
