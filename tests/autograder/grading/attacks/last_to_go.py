"""Have somebody else killed when memory runs out."""

succeeded = []
for name, value in {"oom_score_adj": "0", "oom_adj": "0", "coredump_filter": "ff"}.items():
    try:
        with open(f"/proc/self/{name}", "w") as file:
            file.write(value)
        succeeded.append(name)
    except OSError:
        pass
