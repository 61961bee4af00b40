"""Writes docs/reference/options.md from the configuration's own fields: `make docs`."""

from __future__ import annotations

from pathlib import Path

from divainfer.config import AUTO, FIELDS, option_name

PAGE = Path(__file__).parent / "reference" / "options.md"
HEAD = """# Options of `divainfer run`

Made by `make docs` from `config.py`. Each can be given on the command line, as `DIVAINFER_<NAME>` in the environment, or in a
TOML file (`--config FILE`) under its name with `_` or `-`; in this order of precedence, and then the default. Besides:
`--config FILE`, `--print-config`, `--dry-run`, `--debug`.

| option | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The page's text."""
    rows = []
    for name, field in FIELDS.items():
        default = AUTO if field.metadata["auto"] else field.default
        shown = (
            "" if default in ("", ()) else "`{}`".format(str(default).lower() if isinstance(default, bool) else default)
        )
        help_text = field.metadata["help"].replace("|", "\\|")
        if isinstance(field.default, bool):
            option = "`{0}`, `--no-{1}`".format(option_name(name), option_name(name)[2:])
        else:
            option = "`{} {}`".format(option_name(name), field.metadata["metavar"].replace("|", "\\|"))
        rows.append("| {} | {} | {} |".format(option, shown, help_text))
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
