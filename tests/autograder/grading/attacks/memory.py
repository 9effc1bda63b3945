"""Take all memory, and keep it."""

hoard = []
try:
    while True:
        hoard.append(bytearray(b"x") * (64 << 20))
except MemoryError:
    hoard.clear()
