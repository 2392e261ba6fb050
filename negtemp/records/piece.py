"""What the records of a token share: `raw`, its bytes, which are the truth, and `piece`, which is safe to show."""

from negtemp.printable import printable


class Pieced:
    """A record with the bytes of a token. It adds no field of its own."""

    __slots__ = ()
    raw: bytes

    @property
    def piece(self) -> str:
        """The safe view of the token's bytes."""
        return printable(self.raw)
