"""The web edition: `course site` (or `make site`) makes a book of the chapters that needs no network and no Python to be read.

executed    what a chapter's demonstrations put out, kept until their code or what it reaches changes
pages       a chapter as a page: its text, its code with that output, its exercises as statements
front       the pages around them: the first one, the syllabus, all exercises, how to open a chapter in JupyterLab
formulas    every formula as MathML, made while the book is built
assets      what comes from elsewhere: texts, a font, an address
book        all of them as Sphinx's source, and Sphinx's run; its settings and texts are in docs/site/
"""
