"""Print 200 MB on one line when asked, and return 200 MB."""


def lora_forward(x, W0, lora_A, lora_B):
    print("x" * 200_000_000)
    return x.new_ones(50_000_000)
