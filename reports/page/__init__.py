"""The HTML page: template, style, and what fills them. No number is made here."""
