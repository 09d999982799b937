"""Other libraries that make scripts durable, each put through the same workloads as this one.

Each workload is one process that prints one line of JSON; DATA is the folder of its database.

steps N DATA     one run of N steps: {"steps": N, "seconds": S}, start-up not counted
trigger DATA     what a user's script does: start, run three steps, leave: {"result": ...}
prepare N DATA   N steps of a run and then a sudden death, in a new DATA: {"steps": N}
replay DATA      that run, brought to its end by a new process: {"replayed": N, "seconds": S},
                 and "waited" if it had to wait for the dead one first, which S does not count
fill N DATA      N finished runs, in a new DATA: {"runs": N}
list N DATA      the newest 20 of these N: {"runs": [20 ids], "seconds": S}
many N DATA      one run of N steps of 5 ms, 16 at once: {"steps": N, "seconds": S}, as for steps
"""

from tests.benchmarks.peers.packages import install as install
from tests.benchmarks.peers.peer import PEERS as PEERS
from tests.benchmarks.peers.peer import Peer as Peer
from tests.benchmarks.peers.peer import version_of as version_of
