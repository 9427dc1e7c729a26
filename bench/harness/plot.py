"""A bar plot as SVG, written by hand so that it needs no library and reads well in a diff."""
from xml.sax.saxutils import escape

from harness.report import number

WIDTH = 860
LEFT = 220          # where bars start
RIGHT = 170         # for the numbers after the longest bar
BAR, BAR_GAP, GROUP_GAP, HEAD = 22, 8, 38, 66
OURS, PEER, INK, FAINT = "#0b7a75", "#b8c4ce", "#1f2933", "#64727f"

STYLE = """<style>
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  .title { font-size: 19px; font-weight: 600; } .note { font-size: 12.5px; }
  .group { font-size: 13.5px; font-weight: 600; } .label { font-size: 13px; }
</style>"""


class Bar:
    def __init__(self, label, value, ours, factor):
        self.label = label
        self.value = value
        self.ours = ours
        self.factor = factor  # how many times ours is cheaper, as text; "" for ours itself


def text(x, y, css_class, colour, content, more=""):
    return (f'<text x="{x}" y="{y}" class="{css_class}" fill="{colour}"{more}>'
            f'{escape(content)}</text>')


def draw_bar(bar, y, scale):
    width = max(2, round(bar.value * scale))
    middle = y + BAR // 2 + 5
    yield text(LEFT - 12, middle, "label", INK, bar.label, ' text-anchor="end"')
    yield (f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR}" rx="3" '
           f'fill="{OURS if bar.ours else PEER}"/>')
    value_x = LEFT + width + 8
    weight = ' font-weight="600"' if bar.ours else ""
    yield (f'<text x="{value_x}" y="{middle}" class="label" fill="{INK}"{weight}>'
           f'{number(bar.value)}'
           + (f'<tspan dx="9" fill="{FAINT}">{escape(bar.factor)}</tspan>'
              if bar.factor else "") + "</text>")


def bars(title, note, groups):
    """groups: [(heading, [Bar])]. Bars are horizontal, all on one scale that starts at 0."""
    longest = max(bar.value for _, group in groups for bar in group)
    scale = (WIDTH - LEFT - RIGHT) / longest
    body, y = [], HEAD
    for heading, group in groups:
        y += GROUP_GAP
        body.append(text(LEFT, y - 10, "group", INK, heading))
        top = y
        for bar in group:
            body += draw_bar(bar, y, scale)
            y += BAR + BAR_GAP
        body.append(f'<line x1="{LEFT}" y1="{top - 4}" x2="{LEFT}" y2="{y - 4}" stroke="{FAINT}"/>')
    height = y + 14
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        STYLE,
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
        text(24, 36, "title", INK, title),
        text(24, 60, "note", FAINT, note + "; longer is better; in grey KeyStore's factor over it"),
        *body, "</svg>", ""])
