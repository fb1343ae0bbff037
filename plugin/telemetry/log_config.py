"""How log records become lines of JSON on standard error."""

from typing import Any


def log_config(level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`; `level` is a setting's value."""
    own = {"level": level.upper()}
    others = own if level == "debug" else {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "plugin.telemetry.access_log.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # SQLAlchemy logs what it does with the pool under the name of our class.
        "loggers": {"plugin": own, "plugin.storage.connections": others, "uvicorn": others},
    }
