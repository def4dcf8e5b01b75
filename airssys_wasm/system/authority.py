"""What host code says about who may do what: grants, revocations, explanations."""

import abc

from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.capabilities import Capabilities
from airssys_wasm.security.explain import Explanation
from airssys_wasm.system.builder import Parts


class Authority(abc.ABC):
    """The part of `ActorSystem` that grants and revokes; each holds from the next decision on."""

    @abc.abstractmethod
    def _parts(self) -> Parts:
        """The objects of the running system; raises RuntimeError when it has not been entered."""

    def grant(
        self,
        id: ComponentId,  # noqa: A002 - the stable name
        capabilities: Capabilities,
        expires_at: float | None = None,
    ) -> None:
        """Permit more to a component; what it was granted before stays. Its unload ends all grants.

        Args:
            id: the component.
            capabilities: what it may do in addition; a `receive_from` restricts further who reaches it.
            expires_at: the last second at which this holds, as seconds since 1970; None for good.

        Raises:
            ConfigError: capabilities are none, or expires_at is not a finite number.
        """
        self._parts().guard.grant(id, _checked(capabilities), expires_at)

    def revoke(self, id: ComponentId, capabilities: Capabilities | None = None) -> None:  # noqa: A002 - the stable name
        """Take permissions of a component back, also while it runs; silent when it has none.

        Args:
            id: the component.
            capabilities: nothing that they name is permitted until it is granted anew; None for everything.

        Raises:
            ConfigError: capabilities are none, or name `receive_from`, which permits nothing.
        """
        self._parts().guard.revoke(id, None if capabilities is None else _checked(capabilities))

    def explain(self, id: ComponentId) -> Explanation:  # noqa: A002 - the stable name
        """What a component may do, and because of which grant or rule; str() of it is a text for people."""
        return self._parts().guard.explain(id, self._parts().now())


def _checked(capabilities: object) -> Capabilities:
    if not isinstance(capabilities, Capabilities):
        raise ConfigError("capabilities", capabilities, "is not Capabilities(...)")
    return capabilities
