"""Checks that OpenAI's Python package captions pictures against `caption.ts serve` as it does elsewhere, streaming and not."""

import base64
import os
import pathlib
import subprocess
import sys

import openai

ROOT = pathlib.Path(__file__).parents[2]
TEXTS = {"line.png": "ninth century Zen master", "date.png": "2/8/2021"}
KEY = "key-of-the-check"


def messages(name):
    data = base64.b64encode((ROOT / "assets/examples" / name).read_bytes()).decode()
    content = [
        {"type": "text", "text": "What is written here?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]
    return [{"role": "system", "content": "You read pictures."}, {"role": "user", "content": content}]


def check(client):
    (model,) = [model.id for model in client.models.list()]
    assert client.models.retrieve(model).id == model
    for name, text in TEXTS.items():
        whole = client.chat.completions.create(model=model, messages=messages(name), max_tokens=60, temperature=0)
        assert whole.choices[0].message.content == text, whole
        assert whole.choices[0].finish_reason == "stop" and whole.usage.completion_tokens > 0, whole
        stream = client.chat.completions.create(
            model=model, messages=messages(name), stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        pieces = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(pieces) == text and len(pieces) > 5, pieces
        assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens, chunks[-1]
    cut = client.chat.completions.create(model=model, messages=messages("line.png"), max_completion_tokens=5)
    assert cut.choices[0].finish_reason == "length" and cut.usage.completion_tokens == 5, cut
    for kind, options in {
        openai.NotFoundError: {"model": "gpt-4o", "messages": messages("line.png")},
        openai.BadRequestError: {"model": model, "messages": [{"role": "user", "content": "hello"}]},
    }.items():
        try:
            client.chat.completions.create(**options)
        except kind as error:
            assert error.code, error
        else:
            raise AssertionError(f"no {kind.__name__}")
    try:
        client.with_options(api_key="another").models.list()
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key", error
    else:
        raise AssertionError("another key opened the server")


server = subprocess.Popen(
    ["deno", "run", "-A", "--quiet", "caption.ts", "serve", "--port", "0", "--backend", "ffi", "--log", "none"],
    cwd=ROOT,
    env={**os.environ, "LIMNER_API_KEY": KEY},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    text=True,
)
try:
    base = server.stdout.readline().split()[-1]
    check(openai.OpenAI(base_url=f"{base}/v1", api_key=KEY, max_retries=0, timeout=120))
    server.terminate()
    assert server.wait(60) == 0, server.returncode
finally:
    server.kill()
print(f"openai {openai.__version__}: models, completions, streams and errors as OpenAI's own")
sys.exit(0)
