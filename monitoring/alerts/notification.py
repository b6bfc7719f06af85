"""What Alertmanager sends to a webhook, version 4 of its form.

Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Sent(BaseModel):
    """Part of a message; what a later Alertmanager adds to it is no fault."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class SentAlert(_Sent):
    """One alert of a notification."""

    status: Literal["firing", "resolved"] = Field(description="Whether it fires.")
    labels: dict[str, str] = Field(description="What the alert is about; alertname and severity are among them.")
    annotations: dict[str, str] = Field(description="summary, description and action, for a person.")
    starts_at: datetime = Field(alias="startsAt", description="Since when it fires.")
    ends_at: datetime = Field(alias="endsAt", description="When it ended; year 1 while it fires.")
    fingerprint: str = Field(description="Digest of the labels: the alert's identity.")

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    @property
    def subject(self) -> str:
        """The labels that tell this alert from others of its name, for a person."""
        own = {name: value for name, value in self.labels.items() if name not in {"alertname", "severity"}}
        return ", ".join(f"{name} {value}" for name, value in sorted(own.items()))


class Notification(_Sent):
    """A group of alerts, told in one message."""

    status: Literal["firing", "resolved"] = Field(description="firing while any alert of the group fires.")
    receiver: str = Field(description="Name of the receiver in alertmanager.yaml.")
    group_key: str = Field(alias="groupKey", description="Identity of the group.")
    alerts: tuple[SentAlert, ...] = Field(min_length=1, description="The alerts of the group.")


class ReceivedNotification(BaseModel):
    """A notification and when it came."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    received_at: datetime = Field(description="When it came, UTC.")
    notification: Notification = Field(description="What came.")
