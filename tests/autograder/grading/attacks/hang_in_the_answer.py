"""Never answer, with every signal switched off."""

import signal


def lora_forward(x, W0, lora_A, lora_B):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    signal.setitimer(signal.ITIMER_REAL, 0)
    while True:
        pass
