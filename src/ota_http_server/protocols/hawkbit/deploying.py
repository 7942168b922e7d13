"""Deployments, cancellations, what is installed, and consent: reading them, and reports on them."""

from dataclasses import replace

from ota_http_server.domain.attempt import State
from ota_http_server.domain.errors import Conflict, NotFound
from ota_http_server.domain.rollout_plan import Mode
from ota_http_server.http.exchange import Reply
from ota_http_server.http.lane import not_allowed
from ota_http_server.http.problems import body_of, plain_problem
from ota_http_server.operations.report import Told
from ota_http_server.protocols.hawkbit import documents, words
from ota_http_server.protocols.hawkbit.actions import MESSAGES_MAX, NO_SUCH_ACTION, Action
from ota_http_server.protocols.hawkbit.asked import Asked, Operations
from ota_http_server.protocols.hawkbit.media import DONE, body_object, document

GONE = frozenset({State.CANCELED, State.SUPERSEDED})
DONE_STATES = frozenset({State.INSTALLED, State.VERIFIED})


class Deploying:
    def __init__(self, operations: Operations) -> None:
        self._actions = operations.actions
        self._report = operations.report

    def deployment(self, asked: Asked) -> Reply:
        """`GET deploymentBase/{id}`; a client that works looks at it again and again."""
        action = self._actions.find(asked.visit, asked.number)
        if action.attempt.is_canceling or action.attempt.state in GONE:
            raise NotFound(NO_SUCH_ACTION)
        return self._document(asked, action)

    def installed(self, asked: Asked) -> Reply:
        action = self._actions.find(asked.visit, asked.number)
        if action.attempt.state not in DONE_STATES:
            raise NotFound("this action is not installed")
        return self._document(asked, action)

    def cancellation(self, asked: Asked) -> Reply:
        attempt = self._actions.find(asked.visit, asked.number).attempt
        if not attempt.is_canceling:
            raise NotFound("this action is not being canceled")
        return document(asked.request, documents.cancel(attempt))

    def deployment_feedback(self, asked: Asked) -> Reply:
        word = words.deployment_word(asked.number, body_object(asked.request))
        if word.told is Told.INSTALLED and self._is_download_only(asked):
            word = replace(word, told=Told.DOWNLOADED)  # all that was asked of it is done
        self._report(asked.visit, word)
        return DONE

    def cancel_feedback(self, asked: Asked) -> Reply:
        """405 for stopping what nobody asked to stop; a repeated answer is an answer."""
        word = words.cancel_word(asked.number, body_object(asked.request))
        attempt = self._actions.find(asked.visit, asked.number).attempt
        if word.told is Told.CANCELED and attempt.is_open and not attempt.cancel_asked:
            return not_allowed(("GET",))
        if attempt.is_canceling or word.told is Told.RUNNING:
            self._report(asked.visit, word)
        return DONE

    def auto_confirmation(self, asked: Asked) -> Reply:
        return document(asked.request, documents.confirmation())

    def switch_auto_confirmation(self, _asked: Asked) -> Reply:
        """It is on already, and there is nothing that could be off."""
        raise Conflict("auto-confirmation is always on here")

    def confirmation(self, asked: Asked) -> Reply:
        self._actions.find(asked.visit, asked.number)
        raise NotFound("no action waits for a confirmation here")

    def confirmation_feedback(self, asked: Asked) -> Reply:
        self._actions.find(asked.visit, asked.number)
        detail = "this action does not wait for a confirmation"
        return plain_problem(410, body_of(410, "gone", detail))

    def _is_download_only(self, asked: Asked) -> bool:
        return self._actions.find(asked.visit, asked.number).mode is Mode.DOWNLOAD_ONLY

    def _document(self, asked: Asked, action: Action) -> Reply:
        most = words.history_of(asked.request.query)
        messages = None
        if most is not None:
            wanted = MESSAGES_MAX if most < 0 else min(most, MESSAGES_MAX)
            messages = self._actions.messages(asked.number, wanted)
        return document(asked.request, documents.deployment(action, asked.links, messages))
