"""What the webhook of the kubeflow Spark operator 2.5.2 refuses before an application is stored.

Owns these rules, as far as they concern what the chart uses (``sparkapplication_validator.go``,
``sparkconf_validator.go``).
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Denied", "admit"]

_NAME = re.compile("[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""Services are named after an application, so its name is a label of DNS (RFC 1035)."""
_DENIED_SETTINGS = {
    "spark.master", "spark.kubernetes.driver.master",
    *(f"spark.kubernetes.{part}container.image" for part in ("", "driver.", "executor.")),
    *(f"spark.kubernetes.authenticate.{role}.serviceAccountName"
      for role in ("driver", "executor")),
    *(f"spark.kubernetes.authenticate.{part}oauthToken{suffix}"
      for part in ("", "driver.", "executor.") for suffix in ("", "File")),
}  # fmt: skip


class Denied(Exception):
    """The operator's webhook would refuse an application.

    Attributes:
        path: The field.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: the Spark operator's webhook refuses it")


def admit(application: dict[str, Any]) -> None:
    """Let an application pass that the webhook would let pass.

    Raises:
        Denied: It would refuse the application.
    """
    if not _NAME.fullmatch(application["metadata"]["name"]):
        raise Denied("metadata.name")
    settings = application["spec"].get("sparkConf", {})
    for name in sorted(_DENIED_SETTINGS & settings.keys()):
        raise Denied(f"spec.sparkConf.{name}")
    namespace = application["metadata"]["namespace"]
    if settings.get("spark.kubernetes.namespace", namespace) != namespace:
        raise Denied("spec.sparkConf.spark.kubernetes.namespace")
