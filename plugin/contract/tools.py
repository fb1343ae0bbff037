"""Operations as a model sees them: tools for one target."""

from plugin.contract.names import names

__all__ = ["names"]
