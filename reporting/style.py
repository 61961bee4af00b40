"""How a page looks: by light, by dark, and on paper. Nothing is fetched from anywhere."""

from __future__ import annotations

_LIGHT = (
    "--paper: #ffffff; --card: #f6f7f8; --ink: #1d2227; --soft: #59636e; --pale: #dde1e5; --accent: #0b6bb0; --warn: #a13d00; "
    "--blue: #0072b2; --red: #d55e00; --green: #009e73; --pink: #cc79a7; --orange: #e69f00; --sky: #56b4e9;"
)
_DARK = (
    "--paper: #14171a; --card: #1e2327; --ink: #e4e7ea; --soft: #a2acb5; --pale: #394149; --accent: #6cb8f0; --warn: #ff9a5c; "
    "--blue: #4ca9e6; --red: #ff8a3d; --green: #2fc79b; --pink: #e59cc4; --orange: #f0b93a; --sky: #8ccff5;"
)

STYLE = (
    """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.2rem 3rem; max-width: 74rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .2rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--pale); }
h3 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0; }
.soft, figcaption { color: var(--soft); font-size: .87rem; }
.verdict { margin: 1rem 0; padding: .8rem 1rem; background: var(--card); border-left: 4px solid var(--accent);
  font-size: 1.05rem; }
.bad { border-left-color: var(--warn); }
.notes { margin: .8rem 0; padding-left: 1.2rem; color: var(--soft); font-size: .9rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(10.5rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.tiles div { background: var(--card); padding: .55rem .8rem; border-radius: 4px; }
.tiles b { display: block; font-size: 1.2rem; font-weight: 600; white-space: nowrap; }
.tiles span { color: var(--soft); font-size: .82rem; }
.charts { display: grid; gap: 1.4rem 1.6rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); }
.charts.narrow { grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
figure { margin: 0; break-inside: avoid; }
svg { width: 100%; height: auto; display: block; font-family: inherit; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; margin: .8rem 0; align-items: flex-start; }
.pictures figure { max-width: 22.5rem; }
.pictures img { max-width: 100%; height: auto; display: block; border: 1px solid var(--pale); }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--pale); }
th { color: var(--soft); font-weight: 600; overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; margin: .6rem 0; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, monospace; font-size: .86em; }
td { overflow-wrap: normal; }
td code, figcaption code { unicode-bidi: isolate; overflow-wrap: anywhere; }
pre { background: var(--card); padding: .7rem .9rem; overflow-x: auto; user-select: all; margin: .5rem 0; }
pre.wrapped { white-space: pre-wrap; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
@media print {
  :root { color-scheme: light; LIGHT }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .charts { grid-template-columns: 1fr 1fr; gap: .8rem 1rem; }
  .charts.narrow { grid-template-columns: 1fr 1fr 1fr; }
  .scroll, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  .pictures figure { max-width: 31%; }
  @page { margin: 14mm; }
}
""".replace("LIGHT", _LIGHT)
    .replace("DARK", _DARK)
    .strip()
)
