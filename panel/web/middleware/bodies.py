"""Refuses bodies whose text no file, no page and no backend can hold: once, before anything reads it."""

import json
from email.message import Message as Header

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panel.web.respond import for_programs, problem, refusal


class BodiesMiddleware:
    """A JSON body is checked as a whole; it is as short as the guard lets it be. A form's text can only go wrong in
    another encoding than the pages'."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        if not for_programs(scope["path"]):
            if _encoding(request) not in ("", "utf-8"):
                answer = refusal(request, 422, "That cannot be read", "A form has to be sent as UTF-8.")
                await answer(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return
        try:
            body = await request.body()
        except ClientDisconnect:
            await Response(status_code=400)(scope, receive, send)
            return
        if why := unreadable(body):
            await problem(422, f"The body cannot be read: {why}.", errors={"body": f"{why}."})(scope, receive, send)
            return
        pieces: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return pieces.pop() if pieces else await receive()

        await self._app(scope, again, send)


def unreadable(body: bytes) -> str:
    """Why this JSON cannot be used; "" also for what is no JSON at all, which is told with its place elsewhere."""
    try:
        body.decode()
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return ""
    except UnicodeEncodeError:
        return "it has one half of a surrogate pair, which is no character"
    except UnicodeDecodeError:
        return "it is not UTF-8"
    except RecursionError:
        return "it is nested too deeply"
    except ValueError:
        return "a number has too many digits"
    return ""


def _encoding(request: Request) -> str:
    header = Header()
    header["content-type"] = request.headers.get("content-type", "")
    return (header.get_content_charset("") or "").lower()
