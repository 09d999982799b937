"""What kind of file system a folder is on."""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "9p"),
        *("glusterfs", "lustre", "gpfs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs"),
        *("fuse.rclone", "fuse.davfs2"),
    )
)


def network_file_system(folder: Path) -> str | None:
    """The name of the network file system the folder is on, where locks cannot be trusted."""
    device = os.stat(folder).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
            for mount in mounts:
                fields = mount.split()
                if fields[2] == number and fields[fields.index("-") + 1] in _NETWORK:
                    return fields[fields.index("-") + 1]
    except FileNotFoundError:  # not Linux
        pass
    return None
