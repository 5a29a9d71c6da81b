"""What a channel is."""

from __future__ import annotations

import msgspec

from chime.whatsapp import is_simulated


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A number of ours. `state`: connected, or reconnect when Meta refuses its token; `trouble` says why in words.

    `paused_until` holds back sends (Meta's rate limits of the whole number) until that moment.
    """

    id: str
    phone_number_id: str
    waba_id: str
    meta_app_id: str
    display_phone: str
    verified_name: str
    quality: str
    messages_per_second: int
    state: str
    trouble: str
    paused_until: int | None
    created_at: int
    access_token_last_four: str = ""

    @property
    def title(self) -> str:
        return self.verified_name or self.display_phone

    @property
    def is_simulated(self) -> bool:
        """Of the practice workspace: behind it is the simulator of this installation, and nobody else."""
        return is_simulated(self.phone_number_id)
