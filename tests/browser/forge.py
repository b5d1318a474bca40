"""Takes genuine archives apart, damages them, and puts them together again: also with keys of its own, as an insider could."""

import base64
import hashlib
import io
import json
import os
import struct
import subprocess
import tempfile
import warnings
import zipfile

MANIFESTS = ["manifest-sha256.txt", "tagmanifest-sha256.txt"]
TAGS = ["VERIFY.md", "bag-info.txt", "bagit.txt", "manifest-sha256.txt"]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unpack(zip_bytes: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zip_bytes)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def member(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, zipfile.ZIP_DEFLATED
    return info


def pack(files, zip64: bool = False) -> bytes:
    """Zips a dict, or a list of pairs where a name is to occur twice."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in files.items() if isinstance(files, dict) else files:
            with archive.open(member(name), "w", force_zip64=zip64) as target:
                target.write(data)
    return out.getvalue()


def put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new):]


class Directory:
    """Where the first members' headers lie in a zip."""

    def __init__(self, data: bytes):
        self.end = data.rindex(b"PK\x05\x06")
        self.start = struct.unpack_from("<I", data, self.end + 16)[0]
        self.size = self.end - self.start
        self.headers = []
        at = self.start
        while at < self.end:
            n, e, c = struct.unpack_from("<HHH", data, at + 28)
            self.headers.append((at, struct.unpack_from("<I", data, at + 42)[0], data[at + 46:at + 46 + n].decode()))
            at += 46 + n + e + c


def both(data: bytes, nth: int, central: int, local: int, new: bytes) -> bytes:
    """Changes a field of a member in the directory and in its local header alike."""
    at, offset, _ = Directory(data).headers[nth]
    return put(put(data, at + central, new), offset + local, new)


def with_zip64_end(data: bytes) -> bytes:
    """Gives a zip the end that large zips have."""
    d = Directory(data)
    count = len(d.headers)
    large = struct.pack("<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, d.size, d.start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, d.end, 1)
    small = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:d.end] + large + locator + small


def rewrite_manifests(files: dict[str, bytes]) -> None:
    """What whoever lacks the key can do: manifests over the files as they are."""
    line = "{}  {}\n".format
    data = sorted(n for n in files if n.startswith("data/"))
    files[MANIFESTS[0]] = "".join(line(sha256(files[n]).hex(), n) for n in data).encode()
    files[MANIFESTS[1]] = "".join(line(sha256(files[n]).hex(), n) for n in TAGS).encode()


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class Key:
    """A key made for one test run, held by openssl."""

    def __init__(self, algorithm: str):
        self.ed25519 = algorithm == "ed25519"
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "key.pem")
        how = ["ed25519"] if self.ed25519 else ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        subprocess.run(["openssl", "genpkey", "-algorithm", *how, "-out", self.path], check=True, capture_output=True)
        public = ["openssl", "pkey", "-in", self.path, "-pubout"]
        self.pem = subprocess.run(public, check=True, capture_output=True).stdout.decode()
        self.spki = subprocess.run([*public, "-outform", "DER"], check=True, capture_output=True).stdout
        self.fingerprint = sha256(self.spki).hex()
        self.kind = b"ssh-ed25519" if self.ed25519 else b"ecdsa-sha2-nistp256"
        self.blob = string(self.kind) + (string(self.spki[12:]) if self.ed25519 else string(b"nistp256") + string(self.spki[26:]))
        self.allowed = f'evidence@example.org namespaces="orgproof-seal-v1" {self.kind.decode()} {base64.b64encode(self.blob).decode()}'

    def sign(self, message: bytes) -> bytes:
        source = os.path.join(self.folder.name, "message")
        with open(source, "wb") as file:
            file.write(message)
        how = ["pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", source] if self.ed25519 else ["dgst", "-sha256", "-sign", self.path, source]
        return subprocess.run(["openssl", *how], check=True, capture_output=True).stdout

    def sshsig(self, message: bytes, namespace: bytes = b"orgproof-seal-v1") -> bytes:
        shared = string(namespace) + string(b"") + string(b"sha512")
        raw = self.sign(b"SSHSIG" + shared + string(hashlib.sha512(message).digest()))
        if not self.ed25519:
            # DER: 30 len 02 len r 02 len s; the numbers are written alike in both forms.
            n = raw[3]
            raw = string(raw[4:4 + n]) + string(raw[6 + n:])
        text = base64.b64encode(b"SSHSIG\0\0\0\1" + string(self.blob) + shared + string(string(self.kind) + string(raw))).decode()
        lines = "\n".join(text[i:i + 70] for i in range(0, len(text), 70))
        return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n".encode()

    def envelope(self, payload: bytes) -> bytes:
        kind = "application/vnd.in-toto+json"
        signature = self.sign(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload)
        return (json.dumps({"payload": base64.b64encode(payload).decode(), "payloadType": kind, "signatures": [
            {"keyid": self.fingerprint, "sig": base64.b64encode(signature).decode()}]}, separators=(",", ":")) + "\n").encode()

    def checkpoint(self, origin: str, leaves: list[bytes]) -> str:
        signed = f"{origin}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
        covered = origin.encode() + b"\n\x01" + self.spki[12:] if self.ed25519 else self.spki
        blob = base64.b64encode(sha256(covered)[:4] + self.sign(signed.encode())).decode()
        return f"{signed}\n\u2014 {origin} {blob}\n"


def root(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:]))


def path(leaves: list[bytes], index: int) -> list[bytes]:
    if len(leaves) < 2:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(leaves[:split], index), root(leaves[split:])]
    return [*path(leaves[split:], index - split), root(leaves[:split])]


def reseal(files: dict[str, bytes], key: Key, change=lambda seal: None) -> None:
    """What an insider with a key can do: seal the files as they are, and give the seal a place in a tree of his own."""
    rewrite_manifests(files)
    seal = json.loads(files["seal.json"])
    for subject in seal["subject"]:
        subject["digest"]["sha256"] = sha256(files[subject["name"]]).hex()
    seal["predicate"]["key"]["id"] = key.fingerprint
    if "data/plan.ndjson" in files:
        seal["predicate"]["plan"] = sha256(files["data/plan.ndjson"]).hex()
    change(seal)
    payload = (json.dumps(seal, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    sign(files, key, payload, seal["predicate"])


def sign(files: dict[str, bytes], key: Key, payload: bytes, predicate: dict) -> None:
    files["seal.json"], files["seal.json.sig"], files["seal.dsse.json"] = payload, key.sshsig(payload), key.envelope(payload)
    index = predicate["sequence"]
    leaves = [sha256(b"\0" + str(i).encode()) for i in range(index)] + [sha256(b"\0" + payload)]
    steps = "".join(base64.b64encode(step).decode() + "\n" for step in path(leaves, index))
    note = key.checkpoint(f"orgproof/{predicate['log']}", leaves)
    files["seal.tlog-proof"] = f"c2sp.org/tlog-proof@v1\nindex {index}\n{steps}\n{note}".encode()


def records(files: dict[str, bytes]) -> dict:
    """Count and root of the salted tree over the body lines."""
    import hmac
    leaves = []
    for name in sorted(n for n in files if n.startswith("data/bodies/")):
        lines = files[name].split(b"\n")
        for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
            salt = hmac.new(files["data/inputs/salt.key"], str(len(leaves)).encode(), "sha256").hexdigest()
            leaves.append(sha256(f"\0evr1 {salt} {sha256(name.encode()).hex()} {number} {sha256(line).hex()}\n".encode()))
    return {"count": len(leaves), "root": root(leaves).hex()}
