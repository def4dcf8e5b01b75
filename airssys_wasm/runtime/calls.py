"""The kinds of guest calls, each from its arguments to its answer; `fibers.py` has what all have in common."""

from collections.abc import Callable
from typing import Any, final

from airssys_wasm.core.calls import Invocation
from airssys_wasm.core.errors import PayloadTooLarge
from airssys_wasm.core.messages import ComponentMessage
from airssys_wasm.runtime.abi.frame import Answer, Head, TooLarge
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.values import Keep, Lowering, Value, undo
from airssys_wasm.runtime.call import Call
from airssys_wasm.runtime.compiled import Signature
from airssys_wasm.runtime.conduct import LARGE_FRAME_BYTES
from airssys_wasm.runtime.contract import LIFECYCLE
from airssys_wasm.runtime.delivery import Delivery
from airssys_wasm.runtime.fibers import Fiber
from airssys_wasm.runtime.functions import Function
from airssys_wasm.runtime.instance import Instance
from airssys_wasm.runtime.traps import instantiation_error
from airssys_wasm.runtime.wit import message_to_wit, unwrap


@final
class Instantiation(Call):
    """The instance is made, which may run guest code; `ready` is called when it is there."""

    def __init__(self, fiber: Fiber, instance: Instance, ready: Callable[[], None]) -> None:
        super().__init__(fiber, Keep())
        self._instance, self._ready = instance, ready

    def begin(self) -> int:
        """Begin it; the future."""
        return self._instance.instantiate()

    def end(self) -> None:
        """It is there."""
        self._ready()

    def error(self, text: str) -> Exception:
        """Why it is not."""
        return instantiation_error(text)


@final
class MessageCall(Call):
    """A message crosses as a frame: the byte path; `flags` as in `Delivery.begin`."""

    def __init__(self, fiber: Fiber, delivery: Delivery, head: Head, message: ComponentMessage, flags: int) -> None:
        Call.__init__(self, fiber, Keep())  # the plain way, which takes half as long
        self._delivery, self._head, self._message, self._flags = delivery, head, message, flags
        self.large = len(message.payload.data) > LARGE_FRAME_BYTES

    def begin(self) -> int:
        """Begin it; the future."""
        return self._delivery.begin(self._head, self._message, self._flags, self.keep)

    def end(self) -> Answer:
        """The answer; raises Trap for one that breaks the canonical ABI."""
        return self._delivery.end()

    def result(self) -> bytes | None:
        """As of every call; raises GuestError, and PayloadTooLarge for an answer that has not crossed."""
        answer: Answer = Call.result(self)
        if isinstance(answer, TooLarge):
            raise _too_large(self.fiber, answer.payload_bytes, self._message)
        return answer if answer is None or type(answer) is bytes else unwrap(answer)  # type: ignore[arg-type]


class LifecycleCall(Call):
    """A function of the contract, over component values: the value path."""

    def __init__(self, fiber: Fiber, instance: Instance, name: str, signature: Signature, *arguments: Value) -> None:
        super().__init__(fiber, Keep().bound())
        self._instance, self._name, self._signature, self._arguments = instance, name, signature, arguments
        self.lifting: Lifting = Lifting(fiber.handles).bound()

    def begin(self) -> int:
        """Begin it; the future. Raises Heavy."""
        codecs, keep = self._signature.params, self.keep
        images = b"".join([codec.lower(value, keep) for codec, value in zip(codecs, self._arguments, strict=True)])
        return self._instance.call((LIFECYCLE, self._name), images, keep)

    def end(self) -> Value:
        """The answer; raises Heavy."""
        return self._instance.lift(self._signature.result, self.lifting)


@final
class ValueMessageCall(LifecycleCall):
    """A message crosses as component values: the value path."""

    def __init__(
        self, fiber: Fiber, instance: Instance, name: str, signature: Signature, message: ComponentMessage
    ) -> None:
        super().__init__(fiber, instance, name, signature, message_to_wit(message))
        self._message = message

    def result(self) -> bytes | None:
        """As of every call; raises GuestError and PayloadTooLarge."""
        answer: bytes | None = unwrap(Call.result(self))
        if answer is not None and len(answer) > self.fiber.state.limits.max_payload_bytes:
            raise _too_large(self.fiber, len(answer), self._message)
        return answer


@final
class FunctionCall(Call):
    """A function of the component's own, over component values."""

    def __init__(self, fiber: Fiber, instance: Instance, function: Function, invocation: Invocation) -> None:
        handles = fiber.handles
        keep = Keep() if handles is None or not function.takes_handles else Lowering(handles)
        Call.__init__(self, fiber, keep.bound())
        self._instance, self._function, self._invocation = instance, function, invocation
        self.lifting: Lifting = Lifting(handles, fiber.state.limits.max_payload_bytes).bound()
        if handles is not None:
            handles.call = invocation.caller

    def begin(self) -> int:
        """Begin it; the future. Raises BadValue or Heavy, and nothing has happened."""
        function, keep = self._function, self.keep
        try:
            images = function.lower(self._invocation, keep)
        except BaseException:
            undo(keep)
            raise
        return self._instance.call_again(function.path, images, results=int(function.result is not None))

    def end(self) -> Any:
        """The answer; raises Heavy."""
        function = self._function
        return self._instance.lift(function.result, self.lifting, has_handles=function.answers_handles)

    def result(self) -> Any:
        """As of every call; raises PayloadTooLarge."""
        answer = Call.result(self)
        if self.lifting.size > self.fiber.state.limits.max_payload_bytes:
            raise _too_large(self.fiber, self.lifting.size)
        return answer


def _too_large(fiber: Fiber, size: int, message: ComponentMessage | None = None) -> PayloadTooLarge:
    state = fiber.state
    return PayloadTooLarge(state.component_id, size, state.limits.max_payload_bytes, message, what="answer")
