"""What schemathesis can't know from the OpenAPI document: how NDJSON is written and read, and what a key is for."""

import json
import re
import uuid

import schemathesis

NDJSON = "application/x-ndjson"
QUOTED = re.compile(r'"[!#-\[\]-~]{1,255}"')


@schemathesis.serializer(NDJSON)
def one_line(ctx, value):
    """The document describes one line, so one is sent."""
    return json.dumps(value).encode()


@schemathesis.deserializer(NDJSON)
def first_line(ctx, response):
    return json.loads(response.content.splitlines()[0])


@schemathesis.hook
def before_call(context, case, kwargs):
    """A well-formed key that is drawn again with other data would rightly be refused, so each is used once."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and QUOTED.fullmatch(key):
        case.headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
