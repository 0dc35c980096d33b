"""A hook of MkDocs: links out of ``docs/``, and to folders, lead to the repository.

Owns nothing else. Links to pages and pictures of ``docs/`` stay, so that MkDocs can check them.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

__all__ = ["on_page_markdown", "with_links_outward"]

_LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s]+)(\))")


def with_links_outward(text: str, source: str, repository: str) -> str:
    """Return a page whose links to folders, and to files outside ``docs/``, are URLs.

    Args:
        text: The page in Markdown.
        source: Its path in ``docs/``.
        repository: Where the project's files are, without a slash at the end.
    """

    def outward(found: re.Match[str]) -> str:
        target = posixpath.normpath(f"docs/{posixpath.dirname(source)}/{found[2]}")
        is_page = target.startswith("docs/") and "." in posixpath.basename(target)
        if is_page:
            return found[0]
        return f"{found[1]}{repository}/blob/main/{target}{found[3]}"

    return _LINK.sub(outward, text)


def on_page_markdown(text: str, *, page: Any, config: Any, **_: Any) -> str:  # noqa: ANN401  MkDocs' own
    """Rewrite a page before MkDocs renders it."""
    return with_links_outward(text, page.file.src_uri, config.repo_url.rstrip("/"))
