"""What shops, gates and gateways report beside their beats: sales, refunds, payments and the like."""

from enum import Enum


class EventKind(Enum):
    SALE = "sale"
    REFUND = "refund"
    REPRINT = "reprint"
    REDEMPTION = "redemption"
    WEBHOOK_DELIVERY = "webhook_delivery"
    PAYMENT = "payment"


class EventOutcome(Enum):
    SUCCESS = "success"
    FAILURE = "failure"
