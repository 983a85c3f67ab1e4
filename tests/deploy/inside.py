"""Asked within a machine of the tests': a message from an address, a page, a sign-in. Prints what came; the standard library
alone, since it is run by any Python."""

from __future__ import annotations

import socket
import sys
import urllib.error
import urllib.parse
import urllib.request

MESSAGE = (
    "MSH|^~\\&|MYOLIS|LABA|LB|LABA|20261113||ORU^R01|{control}|P|2.5.1\r"
    "PID|1||{patient}^^^LABA^MR||DOE^JO||19600101|F\r"
    "OBR|1||F{control}|MYO^Myositis^L|||20261112\r"
    "OBX|1|NM|SRPB^Anti-SRP (line blot)^L||58|intensity|0-5|A|||F\r"
)


def send(source: str, target: str, *controls: str) -> None:
    """One connection; the answers, a line each."""
    host, port = target.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 2, (source, 0)) as channel:
        channel.settimeout(15)
        for control in controls:
            message = MESSAGE.format(control=control, patient=f"PT{control}")
            channel.sendall(b"\x0b" + message.encode() + b"\x1c\r")
            answer = b""
            while not answer.endswith(b"\x1c\r"):
                more = channel.recv(65536)
                if not more:
                    print("closed")
                    return
                answer += more
            print(answer.decode().strip("\x0b\x1c\r").split("\r")[1])


def get(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            print(answer.status, answer.read().decode())
    except urllib.error.HTTPError as refused:
        print(refused.code, refused.read().decode())


def sign_in(base: str, login: str, password: str) -> None:
    """Where the workbench leads after the sign-in, and whether it gave a session."""
    body = urllib.parse.urlencode({"login": login, "password": password}).encode()
    request = urllib.request.Request(f"{base}/login", body, {"Origin": base})
    opener = urllib.request.build_opener(NoRedirect)
    try:
        answer = opener.open(request, timeout=10)
    except urllib.error.HTTPError as other:
        answer = other
    print(answer.status, answer.headers.get("Location"), "cookie" if answer.headers.get("Set-Cookie") else "")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


if __name__ == "__main__":
    asked = {"send": send, "get": get, "sign-in": sign_in}[sys.argv[1]]
    try:
        asked(*sys.argv[2:])
    except OSError as fault:
        print(type(fault).__name__)
