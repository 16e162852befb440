"""Formulas as MathML, which browsers draw by themselves: a page needs nothing from elsewhere."""

from docutils import nodes
from latex2mathml.converter import convert


def setup(app):
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mathml(node, display="inline"):
    """Return a formula, with the space that an operator of one word has behind it."""
    written = convert(node.astext(), display=display)
    return written.replace("<mi>log</mi>", '<mi>log</mi><mspace width="0.167em" />')


def write_inline(writer, node):
    writer.body.append(mathml(node))
    raise nodes.SkipNode


def write_block(writer, node):
    writer.body.append(f'<div class="formula">{mathml(node, "block")}</div>\n')
    raise nodes.SkipNode
