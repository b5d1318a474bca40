"""Row 4: assess, and the floor under it."""

NAME = "assess at 5 M evaluations and 1 M findings"


def rows(bench):
    evaluations, findings = bench.size(5_000_000), bench.size(1_000_000)
    store = bench.store(evaluations, findings)
    archive = bench.archive(store)

    def assess():
        return bench.orgproof("--config", store / "orgproof.toml", "assess", "--period", "2026Q4", codes=(0, 1, 3))

    def floor():
        # Every answer decompressed and read as JSON, on one core: less than that nobody who judges it can do.
        return bench.run([bench.maker, "--floor", archive])

    judged, floors = bench.together(assess, floor)
    seconds = 15 if not bench.quick else 1.5
    yield bench.figure("assess: wall time", [s.wall for s in judged], "s", f"below {seconds} s on two cores")
    yield bench.figure("assess: processor time", [s.cpu for s in judged], "s")
    yield bench.figure("assess: peak memory", [s.peak for s in judged], "MiB", "below 256 MiB")
    yield bench.figure(
        "assess: decompression and JSON alone / processor time", [f.cpu / s.cpu for f, s in zip(floors, judged)], "ratio"
    )
