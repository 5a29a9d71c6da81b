"""The two WebAuthn ceremonies, as this installation wants them (see `passkeys`).

Promise: a question is answered once, on this origin, by a key we know; whatever a browser sends, a damaged answer is
BadPasskey and nothing else.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestationConveyancePreference,
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialType,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from chime.security.passkeys import BadPasskey, NewPasskey, PasskeyUse

# It says which credential was used; that is nobody's business in a log.
logging.getLogger("fido2").setLevel(logging.WARNING)

_REQUIRED = UserVerificationRequirement.REQUIRED
LARGEST_ANSWER = 16_000


class RelyingParty:
    """Asks the questions and checks the answers. A question is used once and stored by the caller."""

    def __init__(self, host: str, origin: str) -> None:
        self._server = Fido2Server(
            PublicKeyCredentialRpEntity(name="Chime", id=host), attestation=AttestationConveyancePreference.NONE,
            verify_origin=lambda given: given == origin)

    def ask_new(self, question: bytes, *, user_id: str, email: str, name: str,
                known: list[bytes]) -> dict[str, Any]:
        """Options for `navigator.credentials.create`; `known` are the person's passkeys, which need no second."""
        options, _ = self._server.register_begin(
            PublicKeyCredentialUserEntity(id=user_id.encode(), name=email, display_name=name),
            credentials=[_descriptor(credential_id) for credential_id in known] or None,
            resident_key_requirement=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED, challenge=question)
        return dict(_plain(options["publicKey"]))

    def ask(self, question: bytes, known: list[bytes] | None = None) -> dict[str, Any]:
        """Options for `navigator.credentials.get`; without `known` any passkey of this host may answer."""
        options, _ = self._server.authenticate_begin(
            [_descriptor(credential_id) for credential_id in known] if known else None,
            user_verification=_REQUIRED, challenge=question)
        return dict(_plain(options["publicKey"]))

    def made(self, question: bytes, answer: str) -> NewPasskey:
        """The new passkey of an answer. Raises BadPasskey."""
        try:
            response = RegistrationResponse.from_dict(_read(answer))
            found = self._server.register_complete(_state(question), response)
            credential = found.credential_data
            if credential is None:
                raise ValueError("no credential")
        except Exception as error:  # the library raises what Python raises on any damage
            raise BadPasskey("The passkey could not be made. Try again.") from error
        return NewPasskey(credential_id=credential.credential_id, credential=bytes(credential),
                          sign_count=found.counter)

    def claimed(self, answer: str) -> PasskeyUse:
        """Whose passkey an answer says it is; nothing of it is proved yet. Raises BadPasskey."""
        try:
            found = AuthenticationResponse.from_dict(_read(answer))
            return PasskeyUse(credential_id=found.raw_id, user_handle=found.response.user_handle or b"",
                              sign_count=found.response.authenticator_data.counter)
        except Exception as error:
            raise BadPasskey("The passkey could not be read. Try again.") from error

    def check(self, question: bytes, answer: str, credential: bytes) -> None:
        """That this passkey gave this answer to this question, here. Raises BadPasskey."""
        try:
            self._server.authenticate_complete(_state(question), [AttestedCredentialData(credential)],
                                               AuthenticationResponse.from_dict(_read(answer)))
        except Exception as error:
            raise BadPasskey("The passkey was not accepted. Try again.") from error


def _state(question: bytes) -> dict[str, Any]:
    return {"challenge": websafe_encode(question), "user_verification": _REQUIRED}


def _descriptor(credential_id: bytes) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(type=PublicKeyCredentialType.PUBLIC_KEY, id=credential_id)


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > LARGEST_ANSWER:
        raise ValueError("too long")
    return msgspec.json.decode(answer, type=dict[str, Any])


def _plain(value: Any) -> Any:
    """The library's objects as JSON takes them."""
    if hasattr(value, "items"):
        return {str(name): _plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, bytes):
        return websafe_encode(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return getattr(value, "value", value)
