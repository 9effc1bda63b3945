"""Sphinx's settings for the web edition. `course site` writes the source that they are for; nothing here executes a chapter."""

from autograder.publishing.web.assets import font, repository

project = "Fine-tuning, computed"
author = "The authors of the course"
language = "en"
extensions = ["myst_nb", "sphinx_design", "autograder.publishing.web.formulas"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # still pictures stand where widgets would: nothing is to be fetched
nb_merge_streams = True
nb_render_markdown_format = "myst"  # what a cell puts out as Markdown reads as the text does
html_math_renderer = "mathml"

html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["course.css", str(font())]
html_css_files = ["course.css"]
html_copy_source = False
html_use_index = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_show_search_summary = False  # it fetches pages, which a folder that is opened without a server does not allow
html_context = {"default_mode": "auto"}  # dark where the reader's system is
html_theme_options = {
    "show_toc_level": 2,
    "footer_content_items": [],
    "use_download_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search stands in the list of chapters
    "secondary_sidebar_items": {"**": ["page-toc.html"], "index": []},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
if repository():
    html_theme_options |= {"repository_url": repository(), "use_repository_button": True}
