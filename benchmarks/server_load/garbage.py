"""What no client should send: bodies that are no request, and bytes that are no HTTP.

A body that is no request must be answered 400 in OpenAI's shape; one of `BODIES` that llama-server takes all the same
is not refused, and may be answered. Bytes that are no HTTP may be answered or not, but never with a 5xx.
"""

import json
from typing import Any

COMPLETIONS = "/v1/completions"
CHAT = "/v1/chat/completions"


def _completion(**changed: Any) -> tuple[str, bytes]:
    return COMPLETIONS, json.dumps({"prompt": "x", "max_tokens": 1, **changed}).encode()


def _chat(**changed: Any) -> tuple[str, bytes]:
    messages = [{"role": "user", "content": "x"}]
    return CHAT, json.dumps({"messages": messages, "max_tokens": 1, **changed}).encode()


_NO_NUMBERS: list[Any] = [True, False, "cold", [1], {}]

REFUSED = [
    *((path, body) for path in (COMPLETIONS, CHAT, "/completion", "/tokenize", "/detokenize", "/apply-template")
      for body in (b"{", b"\xff\xfe", b"NaN", b'{"prompt": NaN}', b"[" * 300, b'{"temperature": 1e999}')),
    *((path, body) for path in (COMPLETIONS, CHAT) for body in (b"", b"[]", b"null", b'"x"', b"7", b"{}")),
    _completion(prompt=5), _completion(prompt={}), _completion(prompt=[]),
    _completion(prompt=None), _completion(prompt=[{}]), _completion(prompt=[10**9]), _completion(prompt=[-7]),
    _completion(prompt="x " * 5000), _completion(echo=True, logprobs=1),
    *(_completion(temperature=wrong) for wrong in (*_NO_NUMBERS, 1e300)),
    *(_completion(**{name: wrong}) for name in ("max_tokens", "top_p", "top_k", "seed", "n")
      for wrong in _NO_NUMBERS),
    _completion(max_tokens=-5), _completion(n=10**6), _completion(mirostat=2, temperature=-1),
    _completion(grammar="root ::= ("), _completion(json_schema={"type": 5}), _completion(samplers=[5]),
    _completion(repeat_last_n=2**31 - 1, repeat_penalty=2), _completion(dry_penalty_last_n=2**31 - 1),
    _completion(stream="yes"), _completion(dry_sequence_breakers=[]), _completion(lora=5),
    _chat(messages=5), _chat(messages=[5]), _chat(messages=[{"role": 5}]), _chat(messages=[{"content": "x"}]),
    _chat(temperature=True), _chat(tools=5),
    _chat(response_format={"type": "nonsense"}), _chat(top_logprobs=3), _chat(tool_choice=5, tools=[{}]),
    ("/tokenize", b'{"content": 5}'), ("/detokenize", b'{"tokens": "x"}'), ("/detokenize", b'{"tokens": [1000000000]}'),
    ("/detokenize", b'{"tokens": [-9]}'), ("/apply-template", b'{"messages": 5}'), ("/infill", b"{}"),
]  # fmt: skip

NOT_HTTP = [
    b"\0" * 512, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 300,
    b"POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"POST /v1/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n{}",
    b"POST /v1/completions HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{\"prompt\": \"cut",
    b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nX: " + b"b" * 70000 + b"\r\n\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"BREW /pot HTTP/1.1\r\n\r\n",
]  # fmt: skip
