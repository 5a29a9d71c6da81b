"""SQLite and nothing else: encrypted connections, typed reads, transactions, group commit, migrations.

Promise: every connection has its settings read back, can reach one file only, and that file is encrypted whole.
"""

from chime.db.connection import Key, StorageUnavailable, open_connection
from chime.db.file import DatabaseFile, Db, RawTransaction
from chime.db.group_commit import GroupCommit, Insert
from chime.db.long_reads import LongReads
from chime.db.migrate import Kind

__all__ = ["DatabaseFile", "Db", "GroupCommit", "Insert", "Key", "Kind", "LongReads", "RawTransaction",
           "StorageUnavailable", "open_connection"]
