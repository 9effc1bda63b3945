"""Questions of chapter A that are answered in words."""

from __future__ import annotations

import solutions.claims as answers
from autograder.exercises.exercise import Written

refute = Written(
    id="claims.refute",
    answer=answers.claims_refute,
    rubric=[
        (1, "grants what is right: the share of 0.27 % (294,912 of 109.5 million), and that the pretrained weights do not "
        "change"),
        (1, "computes the memory: the frozen weights stay, so 16 bytes a parameter become 4 and not none, 1.75 GB against 0.44 "
        "GB, about 75 % less; activations come on top in both"),
        (1, "says why unchanged weights are not unchanged answers: the active adapter changes the function, and only with it "
            "switched off is the old one back, exactly"),
        (1, "names an experiment with a control: an old task before and after, adapter on and off, beside full fine-tuning at "
        "matched accuracy or with its own learning rate, over several seeds"),
        (1, "says which outcome would have proved the author right, and keeps to what the computation supports"),
    ],
)

choose = Written(
    id="claims.choose",
    answer=answers.claims_choose,
    rubric=[
        (1, "takes about three points off A's figure because it is the largest of ten on the set that is reported, and cites the "
            "simulated mean"),
        (1, "takes the 50 known texts out of C, and computes the share of the other 150"),
        (1, "says of B that nothing has to come off, that its interval is about seeds, and that the test texts add their own"),
        (1, "chooses B for what its figure means and not for its size, and does not claim that B is shown to be better"),
        (1, "asks for a number that could decide it, such as A's chosen epoch on the same new texts as B, in pairs"),
    ],
)
