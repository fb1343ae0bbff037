"""The append-only record of calls: journal, writer, reader, verification, archive, acts."""
