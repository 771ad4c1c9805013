"""What every part is: something with a start and a stop, used in a `with` block."""

from typing import Self


class Part:
    """Starts when its `with` block is entered and stops at its end, also when the start failed halfway."""

    def start(self) -> None:
        """Start it; a part that needs no process has nothing to do."""

    def stop(self) -> None:
        """Stop it; stopping what doesn't run is no error."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
