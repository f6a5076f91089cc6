"""Charts as SVG text: no plotting library, colours from the page's theme, readable from a phone to paper."""
