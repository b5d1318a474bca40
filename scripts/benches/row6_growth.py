"""Row 6: ten times the work, at most eleven times the time, and no more memory."""

NAME = "growth from a tenth to the whole"


def rows(bench):
    big = (bench.size(5_000_000), bench.size(1_000_000))
    stores = [bench.store(*(n // 10 for n in big)), bench.store(*big)]

    def assess(store):
        return lambda: bench.orgproof("--config", store / "orgproof.toml", "assess", "--period", "2026Q4", codes=(0, 1, 3))

    def verify(store):
        return lambda: bench.orgproof("verify", bench.archive(store), "--depth", "bytes", codes=(0, 5))

    for name, command in (("assess", assess), ("verify --depth bytes", verify)):
        small, large = bench.together(*(command(store) for store in stores))
        times = [after.wall / before.wall for before, after in zip(small, large)]
        peaks = [after.peak / before.peak for before, after in zip(small, large)]
        yield bench.figure(f"{name}: ten times the records, wall", times, "times", "at most 11")
        yield bench.figure(f"{name}: ten times the records, peak memory", peaks, "times", "at most 1.2")
