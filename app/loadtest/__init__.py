"""A load test of the page: `python -m app.loadtest` starts a server of its own on loopback and sends clips to it.

For developers: nothing that serves or analyses imports this. `server` is the process under test, which counts itself;
`clients` are the visitors; `held` says what has to hold of both.
"""

from __future__ import annotations
