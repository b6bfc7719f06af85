"""uvicorn's protocol, which answers a request that would speak another protocol from then on as if it did not ask.

Java's HttpClient asks so with every first request (``Upgrade: h2c``). A server may go on as it is (RFC 9110, 7.8). The
parser takes what follows such a head for the other protocol, though, and would lose the body.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_NO_HTTP = "Invalid HTTP request received."


class IgnoredUpgrades(HttpToolsProtocol):
    """A connection that never changes its protocol."""

    def data_received(self, data: bytes) -> None:
        """Parse; a head that asks for another protocol once more, without that wish."""
        self._unset_keepalive_if_required()
        rest: bytes | None = data
        try:
            while rest is not None:
                rest = self._feed(rest)
        except httptools.HttpParserError:
            self.logger.warning(_NO_HTTP)
            self.send_400_response(_NO_HTTP)

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the head is to be parsed once more."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End with a request's body, unless its head is to be parsed once more."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _feed(self, data: bytes) -> bytes | None:
        """Parse; None, or what is to be parsed still."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._head_without_wish() + data[upgrade.args[0] :]
        return None

    def _head_without_wish(self) -> bytes:
        """The head that was parsed, without its wish, for a new parser: the old one holds on to it."""
        method, http_version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            raise httptools.HttpParserError
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
        kept = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, http_version, b"".join(kept))
