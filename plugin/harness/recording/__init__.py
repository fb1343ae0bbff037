"""Recorded traffic as calls and expectations, with secrets masked."""
