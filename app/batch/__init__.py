"""Many clips at once: a folder in, a table out, one row a clip, resumable, on one machine or on Ray."""

from app.batch.rows import Row, key_of
from app.batch.run import find_clips, run_batch
from app.batch.table import write_table

__all__ = ["Row", "find_clips", "key_of", "run_batch", "write_table"]
