"""Row 5: sealing and verifying against stock tools, on the same bytes."""

import shutil

NAME = "seal and verify at 1 M records and more than 1 GB"


def rows(bench):
    # A record is an evaluation or a finding.
    store = bench.store(bench.size(800_000), bench.size(200_000))
    archive = bench.archive(store)
    shown = bench.folder / "unpacked"

    def verify():
        return bench.orgproof("verify", archive, "--depth", "bytes", codes=(0, 5))

    def stock():
        return bench.run(f"unzip -p '{archive}' | sha256sum")

    verified, piped = bench.together(verify, stock)
    yield bench.figure("verify --depth bytes: wall / unzip -p | sha256sum", [v.wall / p.wall for v, p in zip(verified, piped)], "ratio", "no slower: 1")
    yield bench.figure("verify --depth bytes: wall time", [v.wall for v in verified], "s")
    yield bench.figure("verify --depth bytes: peak memory", [v.peak for v in verified], "MiB", "below 128 MiB")

    shutil.rmtree(shown, ignore_errors=True)
    bench.run(["unzip", "-q", str(archive), "-d", str(shown)])

    def seal():
        return bench.run([bench.maker, "--seal", shown])

    def pack():
        packed = bench.folder / "stock.zip"
        packed.unlink(missing_ok=True)
        return bench.run(["zip", "-q", "-r", "-6", str(packed), "."], cwd=shown)

    sealed, packed = bench.together(seal, pack)
    yield bench.figure("sealing the same files: wall / zip -6", [s.wall / p.wall for s, p in zip(sealed, packed)], "ratio", "no slower: 1")
    yield bench.figure("sealing: peak memory", [s.peak for s in sealed], "MiB", "below 256 MiB")
    shutil.rmtree(shown, ignore_errors=True)
