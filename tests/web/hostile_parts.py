"""Text that would be markup, script or formula if a page let it, and what a page's structure is."""

from __future__ import annotations

from html.parser import HTMLParser

RUNS = "window.pwned=1"
PAYLOADS = (
    f"<script>{RUNS}</script>",
    f"<SCRIPT SRC=//x.example/a.js>{RUNS}</SCRIPT>",
    f"</script><script>{RUNS}</script>",
    f"<scr<script>ipt>{RUNS}</scr</script>ipt>",
    f"<img src=x onerror={RUNS}>",
    f'"><img src=x onerror="{RUNS}">',
    f"'><img src=x onerror='{RUNS}'>",
    f"<svg onload={RUNS}>",
    f"<svg/onload={RUNS}//",
    f"<svg><script>{RUNS}</script></svg>",
    f"<svg><animate onbegin={RUNS} attributeName=x dur=1s>",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={RUNS}>",
    f"<body onload={RUNS}>",
    f"<details open ontoggle={RUNS}>",
    f"<input autofocus onfocus={RUNS}>",
    f"<select autofocus onfocus={RUNS}>",
    f"<textarea autofocus onfocus={RUNS}>",
    f"<video><source onerror={RUNS}>",
    f"<audio src=x onerror={RUNS}>",
    f"<marquee onstart={RUNS}>x</marquee>",
    f"<iframe src=javascript:{RUNS}>",
    f'<iframe srcdoc="<script>{RUNS}</script>">',
    f"<object data=javascript:{RUNS}>",
    f"<embed src=javascript:{RUNS}>",
    f"<a href=javascript:{RUNS}>x</a>",
    f'<a href="java\tscript:{RUNS}">x</a>',
    f"<form action=javascript:{RUNS}><button>x</button></form>",
    "<base href=//x.example/>",
    "<meta http-equiv=refresh content=0;url=//x.example/>",
    "<link rel=stylesheet href=//x.example/a.css>",
    "<style>*{display:none}</style>",
    "</title><h1>x</h1>",
    "</textarea><h1>x</h1>",
    "</select><h1>x</h1>",
    "</td></tr></table><h1>x</h1>",
    "</main></body></html><h1>x</h1>",
    "<!--",
    "--><h1>x</h1>",
    "<![CDATA[<h1>x</h1>]]>",
    "<?xml version='1.0'?><h1>x</h1>",
    "<plaintext>",
    "<template><h1>x</h1></template>",
    f'" onmouseover="{RUNS}',
    f"' onmouseover='{RUNS}",
    f"` onmouseover=`{RUNS}",
    f"x onmouseover={RUNS} ",
    '" autofocus onfocus="x',
    '" hx-get="/logout" hx-trigger="load',
    "{{ 7*7 }}",
    "{% for x in range(9) %}x{% endfor %}",
    "{{ config.items() }}",
    "${7*7}",
    "#{7*7}",
    f"javascript:{RUNS}",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "\u003cscript\u003e",
    "＜script＞",
    "\u202escript<\u202c",
    '=HYPERLINK("//x.example","x")',
    "<h1>" * 20,
)


class _Structure(HTMLParser):
    """Every tag with the names of its attributes, in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, ...]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *sorted(name for name, _value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.found.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.found.append(("!", data))


def structure(page: str) -> list[tuple[str, ...]]:
    """What a page is made of, whatever it says."""
    parser = _Structure()
    parser.feed(page)
    parser.close()
    return parser.found
