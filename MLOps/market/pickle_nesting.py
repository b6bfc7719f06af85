"""How deep tuples of a pickle lie in one another, followed opcode by opcode without making anything.

A tuple as a key is hashed with all the tuples in it: by C code that calls itself, with no limit to its depth, and
anew for each place that the same one stands in. A short pickle can so run over the interpreter's stack or take
forever. Lists, dicts and records end such a chain, for they are not hashed by what they hold.
"""

from typing import Any, Final

_MARK: Final = -1
_STAYS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})
"""Opcodes that leave what they were given, changed."""
_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_MEMO = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_RECALLED = frozenset({"GET", "BINGET", "LONG_BINGET"})


class TupleNesting:
    """The stack and memo of an unpickler, with the number of tuples in the place of each value.

    The number is of a tuple and all the tuples in it, each as often as it stands there, and so is never less than
    how deep they lie in one another. Anything else has 0.
    """

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._memo: dict[int, int] = {}

    def follow(self, opcode: Any, argument: Any) -> int:
        """Do what the opcode does; returns the number of a tuple that it makes, 0 where it makes none.

        Parameters
        ----------
        opcode : pickletools.OpcodeInfo
            The opcode.
        argument : object
            Its argument, as pickletools reads it.

        Raises
        ------
        IndexError, KeyError, ValueError
            If stack or memo lack what it takes.
        """
        name, stack = opcode.name, self._stack
        if name in _MEMO:
            self._memo[int(argument)] = self._top()
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._top()
        elif name in _RECALLED:
            stack.append(self._memo[int(argument)])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "DUP":
            stack.append(self._top())
        elif name == "POP":
            stack.pop()  # a mark too
        elif opcode.stack_before:
            return self._combine(name, opcode.stack_before, len(opcode.stack_after))
        else:
            stack.extend([0] * len(opcode.stack_after))
        return 0

    def _combine(self, name: str, taken: list[Any], given: int) -> int:
        """Take values, down to the last mark where the opcode wants one, and leave what they make."""
        has_mark = any(kind.name == "mark" for kind in taken)
        above = self._above_mark() if has_mark else [self._pop() for _ in taken]
        below = self._pop() if has_mark and name in _STAYS else 0
        made = 0
        if name in _TUPLES:
            made = 1 + sum(above)
        elif name in _STAYS:
            made = below if has_mark else above[-1]
        self._stack.extend([made] * given)
        return made

    def _above_mark(self) -> list[int]:
        values = []
        while (value := self._stack.pop()) != _MARK:
            values.append(value)
        return values

    def _pop(self) -> int:
        self._top()
        return self._stack.pop()

    def _top(self) -> int:
        if self._stack[-1] == _MARK:
            raise ValueError("a mark where a value belongs")
        return self._stack[-1]
