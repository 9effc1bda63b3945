"""Never come to an end in a cell, whatever interrupts it."""

while True:
    try:
        while True:
            pass
    except BaseException:  # noqa: B036
        continue
