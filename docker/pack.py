#!/usr/bin/env python3
"""Packs a program that has been built into an image, without a registry and without Docker.

    pack.py OUT.tar NAME:TAG PROGRAM [--at PATH] [--strip]

The image holds the program, the libraries that it is linked to (none if it is static), the
certificates of this machine, and an empty /tmp. It runs as user 65532. The archive is what `docker
load`, `podman load` and `ctr images import` take; the same files make the same archive. Prints how
large the image is, and the beginning of its id.
"""

import argparse
import hashlib
import io
import json
import os
import platform
import re
import subprocess
import tarfile
import tempfile

USER = "65532:65532"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# No clock enters the image.
EPOCH = "1970-01-01T00:00:00Z"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("out", help="the archive to write")
    arguments.add_argument("name", help="the image's name and tag")
    arguments.add_argument("program", help="the program to pack")
    arguments.add_argument("--at", help="where it is in the image (default: /NAME)")
    arguments.add_argument("--strip", action="store_true", help="leave out symbols")
    given = arguments.parse_args()
    at = given.at or "/" + os.path.basename(given.program)
    with tempfile.TemporaryDirectory() as folder:
        program = stripped(given.program, folder) if given.strip else given.program
        files = {at: program} | {path: path for path in libraries(given.program)}
        if os.path.exists(CERTIFICATES):
            files[CERTIFICATES] = CERTIFICATES
        layer = pack_layer(files)
    config = image_config(at, layer)
    write_archive(given.out, given.name, layer, config)
    print(f"{given.name}  {len(layer) / 1e6:.1f} MB  sha256:{digest(config)[:16]}")


def stripped(program, folder):
    out = os.path.join(folder, "program")
    subprocess.run(["strip", "-o", out, program], check=True)
    return out


def libraries(program):
    """The paths of what the loader loads, and of the loader; nothing for a static program."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True)
    if told.returncode != 0 or "statically linked" in told.stdout:
        return []
    if "not found" in told.stdout:
        raise SystemExit(f"{program}: a library is missing: {told.stdout}")
    return re.findall(r"(/\S+) \(0x", told.stdout)


def pack_layer(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        folders = {os.path.dirname(path) for path in files}
        folders |= {parent for folder in folders for parent in parents(folder)}
        for folder in sorted(folders - {"/"}):
            add_folder(layer, folder, 0o755)
        add_folder(layer, "/tmp", 0o1777)
        for path, source in sorted(files.items()):
            add_file(layer, path, source)
    return buffer.getvalue()


def parents(folder):
    while folder != "/":
        folder = os.path.dirname(folder)
        yield folder


def add_folder(layer, path, mode):
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    layer.addfile(entry)


def add_file(layer, path, source):
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size = os.path.getsize(source)
    entry.mode = 0o755 if os.access(source, os.X_OK) else 0o644
    with open(source, "rb") as content:
        layer.addfile(entry, content)


def image_config(entry_point, layer):
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": EPOCH,
        "config": {"Entrypoint": [entry_point], "User": USER, "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer)]},
        "history": [{"created": EPOCH}],
    }
    return json.dumps(config).encode()


def write_archive(out, name, layer, config):
    config_path, layer_path = digest(config) + ".json", digest(layer) + "/layer.tar"
    manifest = [{"Config": config_path, "RepoTags": [name], "Layers": [layer_path]}]
    with tarfile.open(out, "w") as archive:
        for path, content in [
            (layer_path, layer),
            (config_path, config),
            ("manifest.json", json.dumps(manifest).encode()),
        ]:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def digest(content):
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
