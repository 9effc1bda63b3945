"""Answer with far more numbers than anybody asked for, in every form there is."""

ASKED = [0]


def lora_forward(x, W0, lora_A, lora_B):
    ASKED[0] += 1
    if ASKED[0] == 1:
        return x.new_ones(1).expand(10**12)
    if ASKED[0] == 2:
        return "x" * 100_000_000
    endless = [1.0]
    endless.append(endless)
    return endless
