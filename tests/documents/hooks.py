"""What schemathesis can't learn from the OpenAPI document: how NDJSON is written and read, and what an idempotency key is for."""

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
    name_anew(case)
    wait = (case.query or {}).get("wait")
    # A job that waits for another one is not decided, so its request would wait as long as it asks for.
    if isinstance(wait, int) and wait > 1:
        case.query["wait"] = 1


def name_anew(case):
    """A well-formed key that is drawn again with other data would rightly be refused, so each is used once. Among
    requests that are to be valid, schemathesis 4.32 also sends keys that it made to be malformed."""
    key = (case.headers or {}).get("Idempotency-Key")
    meant_to_be_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if key is not None and (meant_to_be_valid or QUOTED.fullmatch(str(key))):
        case.headers["Idempotency-Key"] = f'"{uuid.uuid4()}"'
