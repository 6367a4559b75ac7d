"""flask_game.py REDIS_PORT PORT: arena's shop and mine as the original systems built them.

A Flask development server that reads, checks and writes a player's wallet in separate Redis calls. `/ledger` compares what
was acknowledged with what the wallets say.
"""

import random
import sys
import threading

import flask
import redis

PRICES = {"knife": 5, "sword": 10, "grenade": 15, "gun": 50, "bazooka": 100, "nuke": 500}

app = flask.Flask(__name__)
store = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
acknowledged = []  # every change of a wallet that a reply has confirmed
lock = threading.Lock()


def confirm(amount):
    with lock:
        acknowledged.append(amount)


@app.route("/initialize")
def initialize():
    name = flask.request.args["username"]
    store.hset(f"player:{name}", mapping={"money": 100, "health": 20, "weapon": "stick"})
    confirm(100)
    return "Player initialized\n"


@app.route("/purchase_weapon")
def purchase_weapon():
    name, weapon = flask.request.args["username"], flask.request.args["weapon"]
    money = int(store.hget(f"player:{name}", "money"))
    price = PRICES[weapon]
    if money < price:
        return "Not enough money\n", 409
    store.hset(f"player:{name}", "money", money - price)
    store.hset(f"player:{name}", "weapon", weapon)
    store.rpush("events", f'{{"event_type": "purchase_weapon", "username": "{name}", "weapon": "{weapon}"}}')
    confirm(-price)
    return "Weapon purchased\n"


@app.route("/dig_for_gold")
def dig_for_gold():
    name = flask.request.args["username"]
    money = int(store.hget(f"player:{name}", "money"))
    if money < 5:
        return "Not enough money\n", 409
    found = random.randint(0, 20)
    store.hset(f"player:{name}", "money", money - 5 + found)
    store.rpush("events", f'{{"event_type": "dig_for_gold", "username": "{name}", "gold_found": {found}}}')
    confirm(found - 5)
    return f"You found {found} gold\n"


@app.route("/ledger")
def ledger():
    with lock:
        due, moved = sum(acknowledged), sum(abs(amount) for amount in acknowledged)
    wallets = sum(int(store.hget(key, "money")) for key in store.scan_iter("player:*"))
    return flask.jsonify(lost=abs(due - wallets), moved=moved)


app.run(host="127.0.0.1", port=int(sys.argv[2]))
