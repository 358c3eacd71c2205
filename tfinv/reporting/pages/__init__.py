"""Parts of the HTML pages: pictures, sections, the page of single images."""
