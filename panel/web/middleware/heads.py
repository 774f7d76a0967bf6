"""Answers HEAD as GET without its body. Pure ASGI, next to the app: guard, logins and roles have seen the HEAD."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.live.protocol import EXTENSION


class HeadMiddleware:
    """An answer without a length is a stream, or comes in parts: the app is left once its headers are sent. Nor is it
    handed the connection, which would keep a stream. Other answers are finished, with what they do at their end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        others = {name: value for name, value in scope.get("extensions", {}).items() if name != EXTENSION}
        asked: Scope = {**scope, "method": "GET", "extensions": others}
        left = False

        async def without_body(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                if all(name.lower() != b"content-length" for name, _ in message.get("headers", [])):
                    left = True
                    task.cancel()

        task = asyncio.create_task(self._answer(asked, receive, without_body))
        try:
            await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if not left or (own is not None and own.cancelling()):
                raise

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
