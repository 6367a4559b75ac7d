"""A careful Python collector: FastAPI on uvicorn, confluent-kafka; a reply is sent when the broker has acknowledged.

Run as: uvicorn fastapi_events:app, with BROKERS and TOPIC in the environment.
"""
import asyncio
import json
import os
import threading

from confluent_kafka import Producer
from fastapi import FastAPI, Request, Response

TOPIC = os.environ["TOPIC"]
producer = Producer({"bootstrap.servers": os.environ["BROKERS"], "linger.ms": 5})


def serve_callbacks():
    while True:
        producer.poll(0.1)


threading.Thread(target=serve_callbacks, daemon=True).start()
app = FastAPI()


@app.post("/events")
async def collect(request: Request):
    event = json.loads(await request.body())
    for name in ("host", "user-agent", "accept"):
        event[name] = request.headers.get(name)
    loop = asyncio.get_running_loop()
    acknowledged = loop.create_future()

    def delivered(error, _message):
        loop.call_soon_threadsafe(acknowledged.set_result, error)

    producer.produce(TOPIC, json.dumps(event).encode(), key=event["player"], on_delivery=delivered)
    failed = await acknowledged is not None
    body = b'{"ok":false}' if failed else b'{"ok":true}'
    return Response(body, status_code=503 if failed else 200, media_type="application/json")
